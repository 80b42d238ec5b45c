// Who gets the keyboard focus: requests for a part that is mounted somewhere else, and manners for parts that would like it.
import { Emitter } from "../../native-core/common/emitter.ts";

const search = new Emitter<void>();

export const focusRequests = {
  search: (): void => search.fire(),
  onSearch(listener: () => void): () => void {
    const subscription = search.event(listener);
    return () => subscription.dispose();
  },
};

/**
 * Whether a screen or console that appears may take the keyboard. Not from somebody who walks through the machine list, and not
 * from somebody who walks along the tabs with the keyboard.
 */
export function mayTakeFocus(): boolean {
  const active = document.activeElement;
  if (!active || active === document.body) return true;
  return !active.closest("[data-keeps-focus], [role=dialog]") && !active.matches(":focus-visible");
}

/** For commands that lead to a screen or console on purpose. */
export function giveUpFocus(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}
