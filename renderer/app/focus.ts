// Requests to move the keyboard focus into a part that is mounted somewhere else.
import { Emitter } from "../../native-core/common/emitter.ts";

const search = new Emitter<void>();

export const focusRequests = {
  search: (): void => search.fire(),
  onSearch(listener: () => void): () => void {
    const subscription = search.event(listener);
    return () => subscription.dispose();
  },
};
