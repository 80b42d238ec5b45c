// Beside the terminal: when the lines in sight arrived.
import { useEffect, useState } from "react";
import type { ConsoleSession } from "./console-session.ts";
import { clockOf } from "./line-times.ts";

interface Stamp {
  readonly top: number;
  readonly text: string;
}

function stampsOf({ terminal, times, element }: ConsoleSession): Stamp[] {
  const screen = element.querySelector(".xterm-screen");
  if (!screen) return [];
  const rowHeight = screen.clientHeight / terminal.rows;
  const { viewportY } = terminal.buffer.active;
  const stamps: Stamp[] = [];
  for (let row = 0; row < terminal.rows; row++) {
    const atMs = times.at(viewportY + row);
    if (atMs !== undefined) stamps.push({ top: row * rowHeight, text: clockOf(atMs) });
  }
  return stamps;
}

export function TimeGutter({ session }: { readonly session: ConsoleSession }) {
  const [stamps, setStamps] = useState<readonly Stamp[]>([]);
  useEffect(() => {
    const update = () => setStamps(stampsOf(session));
    const rendered = session.terminal.onRender(update);
    const scrolled = session.terminal.onScroll(update);
    update();
    return () => {
      rendered.dispose();
      scrolled.dispose();
    };
  }, [session]);
  return (
    <ol className="time-gutter number" aria-hidden="true">
      {stamps.map(({ top, text }) => (
        <li key={top} style={{ top }}>
          {text}
        </li>
      ))}
    </ol>
  );
}
