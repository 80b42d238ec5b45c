// Templates: machines that nobody changes any more, so that linked clones of them need nothing but a new layer.
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";

/** @throws AppError INVALID_STATE while it runs */
export async function setTemplate(machine: Machine, template: boolean): Promise<void> {
  await machine.operate(async () => {
    if (machine.record.template === template) return;
    requireState(machine.name, machine.state, ["powered-off", "saved", "aborted"], "made a template");
    await machine.update(() => ({ template }));
    void machine.log.write("info", template ? "It is a template now" : "It is no template any more");
  });
}
