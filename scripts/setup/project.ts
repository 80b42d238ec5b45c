// Where the project is.
import { fileURLToPath } from "node:url";

/** Absolute path of the project's folder, ending with a separator. */
export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
