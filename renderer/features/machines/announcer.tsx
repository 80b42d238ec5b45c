// Tells screen readers when the selected machine has come to another state; what only passes (Starting, Saving) is not said.
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";

const LASTING: ReadonlySet<MachineSummary["state"]> = new Set(["powered-off", "saved", "aborted", "running", "paused"]);

export function Announcer({ machine }: { readonly machine: MachineSummary | undefined }) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const last = useRef<MachineSummary | undefined>(undefined);
  useEffect(() => {
    const before = last.current;
    if (machine && !LASTING.has(machine.state)) return;
    last.current = machine;
    // Another machine was selected: the list says its state.
    if (!machine || before?.id !== machine.id || before.state === machine.state) return;
    setText(t("list.announce", { name: machine.name, state: t(`state.${machine.state}`) }));
  }, [machine, t]);
  return (
    <p className="visually-hidden" role="status">
      {text}
    </p>
  );
}
