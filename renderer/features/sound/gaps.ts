// How often the sound of the machines in this window had a gap: the machine, or this computer, did not keep up.
import { createStore } from "../../api/store.ts";

/** Since the window was opened. */
export const soundGaps = createStore(0);
