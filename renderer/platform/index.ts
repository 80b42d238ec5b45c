// Chooses the shell this bundle runs in: the Electron preload announces itself, everything else is a browser.
import { browserPlatform } from "./browser.ts";
import { electronPlatform, isElectron } from "./electron.ts";
import type { Platform } from "./platform.ts";

export const platform: Platform = isElectron() ? electronPlatform : browserPlatform;
