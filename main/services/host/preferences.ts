// What a user chose in the app, kept by the host: a browser's own storage ends with the host's port, and a second window or another
// browser would not know of it. The renderer gives the keys their meaning (renderer/app/preferences-format.ts).
import { AppError } from "../../../native-core/common/errors.ts";
import type { PreferenceValues } from "../../store/preference-rows.ts";
import type { ServiceContext } from "../context.ts";

/** For all of them together, as JSON; enough for the order of thousands of machines. */
const TOTAL_MAX_BYTES = 1 << 20;

export function readPreferences(context: ServiceContext): Promise<PreferenceValues> {
  return context.store.preferences.read();
}

/** Keys that are null are forgotten. Everyone else hears of it. */
export async function changePreferences(context: ServiceContext, changes: PreferenceValues): Promise<void> {
  const next = { ...(await context.store.preferences.read()), ...changes };
  if (JSON.stringify(next).length > TOTAL_MAX_BYTES) {
    throw new AppError("INVALID_ARGUMENT", "The preferences are too large", {
      field: "changes",
      consequence: "Nothing was changed.",
      remedy: "Store less; preferences are for choices, not for data.",
    });
  }
  await context.store.preferences.write(changes);
  context.events.emit({ kind: "preferences", changes });
}
