// Terminal colours for both themes; the sixteen ANSI colours keep AA contrast on their background.
import type { ITheme } from "@xterm/xterm";

const LIGHT: ITheme = {
  background: "#ffffff",
  foreground: "#1c2221",
  cursor: "#0b766c",
  cursorAccent: "#ffffff",
  selectionBackground: "#b7ddd8",
  black: "#1c2221",
  red: "#b3261e",
  green: "#1b7a3d",
  yellow: "#8a5a00",
  blue: "#2459a6",
  magenta: "#8a2c8a",
  cyan: "#0b766c",
  white: "#59625f",
  brightBlack: "#6b7472",
  brightRed: "#c5352c",
  brightGreen: "#2a7d46",
  brightYellow: "#946200",
  brightBlue: "#2f66b8",
  brightMagenta: "#a13ba1",
  brightCyan: "#0d7f74",
  brightWhite: "#3c4442",
};

const DARK: ITheme = {
  background: "#121515",
  foreground: "#dfe5e3",
  cursor: "#46c2b3",
  cursorAccent: "#121515",
  selectionBackground: "#2a5f59",
  black: "#2b3131",
  red: "#f2877f",
  green: "#62c98a",
  yellow: "#e2b04a",
  blue: "#8cb4f0",
  magenta: "#d79be0",
  cyan: "#46c2b3",
  white: "#c8d0ce",
  brightBlack: "#87918f",
  brightRed: "#f7a8a2",
  brightGreen: "#8bdba9",
  brightYellow: "#efcb7c",
  brightBlue: "#b0ccf6",
  brightMagenta: "#e6bdec",
  brightCyan: "#7bd8cc",
  brightWhite: "#ffffff",
};

export const terminalTheme = (dark: boolean): ITheme => (dark ? DARK : LIGHT);

/** Colours of the matches of a search. */
export const matchColours = (dark: boolean) => ({
  matchBackground: dark ? "#5a4a17" : "#fbe7a8",
  matchOverviewRuler: dark ? "#e2b04a" : "#8a5a00",
  activeMatchBackground: dark ? "#a37a16" : "#f3c64a",
  activeMatchColorOverviewRuler: dark ? "#46c2b3" : "#0b766c",
});
