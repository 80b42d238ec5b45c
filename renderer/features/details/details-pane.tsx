// Details: what the machine is made of, as boxes whose values lead to the setting; preview and activity beside them.
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useMachine } from "../../api/queries.ts";
import { ActivityBox } from "./activity-box.tsx";
import { ConfigBoxes } from "./config-boxes.tsx";
import { FailureBox } from "./failure-box.tsx";
import { Preview } from "./preview.tsx";
import "./details.css";

export function DetailsPane({ machine }: { readonly machine: MachineSummary }) {
  const details = useMachine(machine.id).data;
  return (
    <div className="details">
      <div className="details-main">
        {machine.lastFailure && <FailureBox failure={machine.lastFailure} state={machine.state} />}
        {details && <ConfigBoxes machine={details} />}
      </div>
      <div className="details-side">
        <Preview machine={machine} />
        {details && <ActivityBox machine={details} state={machine.state} />}
      </div>
    </div>
  );
}
