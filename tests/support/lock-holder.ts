// Holds the lock of a data folder until it is killed.
import { openDataFolder } from "../../main/store/data-folder.ts";
import { acquireHostLock } from "../../main/store/host-lock.ts";

acquireHostLock(await openDataFolder(process.argv[2] ?? ""));
process.send?.("locked");
process.on("message", () => undefined);
