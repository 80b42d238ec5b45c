// Starting with the user's session: by the operating system's own list on macOS and Windows, by an autostart entry on Linux. The system's
// list is the truth; the preference `startAtLogin` follows it at each start, as users also change it elsewhere.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

/** Started without a window, in the tray. */
export const HIDDEN_OPTION = "--hidden";

export interface LoginItem {
  isOn(): Promise<boolean>;
  set(on: boolean): Promise<void>;
}

/** The part of Electron's `app` that keeps the list. */
interface SystemList {
  getLoginItemSettings(options: { args: string[] }): { openAtLogin: boolean };
  setLoginItemSettings(settings: { openAtLogin: boolean; args: string[] }): void;
}

export function systemLoginItem(list: SystemList): LoginItem {
  const args = [HIDDEN_OPTION];
  return {
    isOn: async () => list.getLoginItemSettings({ args }).openAtLogin,
    set: async (openAtLogin) => list.setLoginItemSettings({ openAtLogin, args }),
  };
}

/** An argument of `Exec` (Desktop Entry Specification, "The Exec key"): quoted, with the string's own escapes on top. */
function quoted(argument: string): string {
  const inQuotes = argument.replaceAll(/(["`$\\])/g, "\\$1").replaceAll("%", "%%");
  return `"${inQuotes}"`.replaceAll("\\", "\\\\");
}

export function autostartEntry(command: readonly string[]): string {
  const lines = [
    "[Desktop Entry]",
    "Type=Application",
    "Name=Terrarium",
    `Exec=${[...command.map(quoted), HIDDEN_OPTION].join(" ")}`,
    "Terminal=false",
    "X-GNOME-Autostart-enabled=true",
  ];
  return `${lines.join("\n")}\n`;
}

/** `configFolder` is $XDG_CONFIG_HOME (Desktop Application Autostart Specification); `command` starts the app. */
export function linuxLoginItem(configFolder: string, command: readonly string[]): LoginItem {
  const file = path.join(configFolder, "autostart/terrarium.desktop");
  return {
    async isOn() {
      const entry = await readFile(file, "utf8").catch(() => "");
      return entry !== "" && !/^(Hidden=true|X-GNOME-Autostart-enabled=false)\s*$/m.test(entry);
    },
    async set(on) {
      if (!on) return rm(file, { force: true });
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, autostartEntry(command));
    },
  };
}
