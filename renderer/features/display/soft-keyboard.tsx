// A keyboard on the screen, US layout: for keys that this computer lacks or keeps for itself. Modifiers stay down until the next key.
import { Button } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ALT, CONTROL, type Key, SHIFT, SUPER, sendKeys } from "./keys.ts";
import { SOFT_ROWS, type SoftKey } from "./soft-keys.ts";
import type { Screen } from "./use-screen.ts";

const MODIFIERS: Readonly<Record<string, Key>> = { Shift: SHIFT, Ctrl: CONTROL, Alt: ALT, Super: SUPER };

export function SoftKeyboard({ screen }: { readonly screen: Screen }) {
  const { t } = useTranslation();
  const [held, setHeld] = useState<readonly string[]>([]);
  const shifted = held.includes("Shift");

  const press = (key: SoftKey) => {
    if (MODIFIERS[key.label]) {
      setHeld(held.includes(key.label) ? held.filter((other) => other !== key.label) : [...held, key.label]);
      return;
    }
    const rfb = screen.rfb.current;
    if (!rfb) return;
    const modifiers = held.flatMap((name) => MODIFIERS[name] ?? []);
    const keysym = shifted && key.shifted ? (key.shifted.codePointAt(0) ?? key.keysym) : key.keysym;
    sendKeys(rfb, [...modifiers, { keysym, code: key.code }]);
    setHeld([]);
  };

  return (
    <div className="soft-keyboard" role="group" aria-label={t("display.softKeyboard")}>
      {SOFT_ROWS.map((row) => (
        <div key={row[0]?.code} className="soft-row">
          {row.map((key) => (
            <Button
              key={key.code}
              size="small"
              text={shifted ? (key.shifted ?? key.label) : key.label}
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
