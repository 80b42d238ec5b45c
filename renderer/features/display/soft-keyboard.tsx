// A keyboard on the screen, with the guest's layout: for keys that this computer lacks or keeps for itself. Modifiers stay down until the
// next key.
import { Button } from "@blueprintjs/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ALT, ALT_GR, CONTROL, type Key, keysymOf, SHIFT, SUPER, sendKeys } from "./keys.ts";
import { useGuestLayout } from "./layout-select.tsx";
import type { Level } from "./layouts.ts";
import { type SoftKey, softRows } from "./soft-keys.ts";
import type { Screen } from "./use-screen.ts";

const MODIFIERS: Readonly<Record<string, Key>> = {
  Shift: SHIFT,
  Ctrl: CONTROL,
  Alt: ALT,
  AltGr: ALT_GR,
  Super: SUPER,
};

/** The character that the key types now, or its name. */
const legend = ({ label, levels }: SoftKey, level: Level): string => levels?.[level] ?? label;

export function SoftKeyboard({ screen }: { readonly screen: Screen }) {
  const { t } = useTranslation();
  const layout = useGuestLayout();
  const rows = useMemo(() => softRows(layout), [layout]);
  const [held, setHeld] = useState<readonly string[]>([]);
  const level = held.includes("AltGr") ? "altGr" : held.includes("Shift") ? "shift" : "plain";

  const press = (key: SoftKey) => {
    if (MODIFIERS[key.label]) {
      setHeld(held.includes(key.label) ? held.filter((other) => other !== key.label) : [...held, key.label]);
      return;
    }
    const rfb = screen.rfb.current;
    if (!rfb) return;
    const modifiers = held.flatMap((name) => MODIFIERS[name] ?? []);
    const keysym = key.levels ? keysymOf(legend(key, level)) : key.keysym;
    sendKeys(rfb, [...modifiers, { keysym, code: key.code }]);
    setHeld([]);
  };

  return (
    <div className="soft-keyboard" role="group" aria-label={t("display.softKeyboard")}>
      {rows.map((row) => (
        <div key={row[0]?.code} className="soft-row">
          {row.map((key) => (
            <Button
              key={key.code}
              size="small"
              text={legend(key, level)}
              active={held.includes(key.label)}
              style={{ flexGrow: key.width ?? 1 }}
              {...(MODIFIERS[key.label] && { "aria-pressed": held.includes(key.label) })}
              // The guest's screen keeps the keyboard focus.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => press(key)}
            />
          ))}
        </div>
      ))}
    </div>
  );
}
