// The advisor's hints above the charts, each with its reason and the button that leads to the change.
import { Button } from "@blueprintjs/core";
import { LightbulbIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MetricsSample } from "../../../main/contract/schemas.ts";
import { useMachine } from "../../api/queries.ts";
import { openDialog } from "../../app/navigation.ts";
import { useHost } from "../../app/use-host.ts";
import { runCommand } from "../machines/run-command.ts";
import { advise } from "./advisor.ts";

/** A text takes what it needs of these. */
const NO_VALUES = { percent: "", suggested: "", disk: "" };

interface Props {
  readonly machineId: string;
  readonly samples: readonly MetricsSample[];
}

export function Advice({ machineId, samples }: Props) {
  const { t } = useTranslation();
  const machine = useMachine(machineId).data;
  const host = useHost();
  const hints = machine ? advise(machine, samples, host) : [];
  if (!machine || hints.length === 0) return null;
  return (
    <ul className="advice" aria-label={t("activity.advice")}>
      {hints.map(({ kind, field, values }) => (
        <li key={`${kind} ${values["disk"] ?? ""}`}>
          <LightbulbIcon />
          <span>{t(`activity.hints.${kind}`, { ...NO_VALUES, ...values })}</span>
          {field !== null && (
            <Button
              size="small"
              text={t("activity.change")}
              onClick={() => openDialog({ kind: "settings", machineId, field })}
            />
          )}
          {kind === "hostMemory" && (
            <Button size="small" text={t("command.save")} onClick={() => void runCommand("save", machine)} />
          )}
        </li>
      ))}
    </ul>
  );
}
