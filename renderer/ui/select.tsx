// A drop-down list. Blueprint's own puts an English title on its arrow, which nobody needs: the list has a name.
import { HTMLSelect, type HTMLSelectProps } from "@blueprintjs/core";

export function Select(props: HTMLSelectProps) {
  return <HTMLSelect {...props} iconProps={{ title: "", "aria-hidden": true }} />;
}
