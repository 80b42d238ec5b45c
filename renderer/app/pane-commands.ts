// Commands of what is shown: a pane knows what they act on (a selected snapshot, an open screen), the palette lists them with the others.
import { useEffect, useRef } from "react";
import type { AppCommand } from "./commands.ts";

const shown = new Set<() => readonly AppCommand[]>();

export const paneCommands = (): AppCommand[] => [...shown].flatMap((commands) => commands());

/** For as long as the component is mounted, with what its last rendering said. */
export function usePaneCommands(commands: readonly AppCommand[]): void {
  const latest = useRef(commands);
  useEffect(() => {
    latest.current = commands;
  });
  useEffect(() => {
    const read = () => latest.current;
    shown.add(read);
    return () => void shown.delete(read);
  }, []);
}
