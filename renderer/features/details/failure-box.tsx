// Why the machine is Aborted, or what its last start failed with; it stays until the next start.
import { WarningSignIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { Failure, MachineState } from "../../../main/contract/schemas.ts";
import { FailureText } from "../notifications/failure-text.tsx";

interface Props {
  readonly failure: Failure;
  readonly state: MachineState;
}

export function FailureBox({ failure, state }: Props) {
  const { t } = useTranslation();
  const title = t(state === "aborted" ? "details.aborted" : "details.startFailed");
  return (
    <section className="failure-box" aria-label={title}>
      <WarningSignIcon />
      <div>
        <h3>{title}</h3>
        <FailureText failure={failure} />
      </div>
    </section>
  );
}
