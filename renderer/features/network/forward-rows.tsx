// Port forwards of an adapter: a row each, as host address and port, then the guest's port.
import { Button, HTMLSelect, InputGroup } from "@blueprintjs/core";
import { CrossIcon, PlusIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { PortForwardConfig } from "../../../native-core/config/network-settings.ts";

interface Props {
  readonly forwards: readonly PortForwardConfig[];
  onChange(forwards: PortForwardConfig[]): void;
}

const FIRST_PORT = 8080;

/** The next port that no row has yet. */
function freePort(forwards: readonly PortForwardConfig[]): number {
  let port = FIRST_PORT;
  while (forwards.some(({ hostPort }) => hostPort === port)) port++;
  return port;
}

export function ForwardRows({ forwards, onChange }: Props) {
  const { t } = useTranslation();
  const change = (index: number, part: Partial<PortForwardConfig>) =>
    onChange(forwards.map((forward, at) => (at === index ? { ...forward, ...part } : forward)));
  return (
    <fieldset className="network-rows">
      <legend>{t("network.forwards")}</legend>
      {forwards.map((forward, index) => (
        // A row is nothing but its place in the list.
        <div className="network-row" key={index}>
          <HTMLSelect
            aria-label={t("network.protocol")}
            value={forward.protocol}
            options={["tcp", "udp"]}
            onChange={(event) => change(index, { protocol: event.target.value === "udp" ? "udp" : "tcp" })}
          />
          <InputGroup
            aria-label={t("network.hostAddress")}
            value={forward.hostAddress}
            onValueChange={(hostAddress) => change(index, { hostAddress })}
          />
          <InputGroup
            className="network-port"
            type="number"
            aria-label={t("network.hostPort")}
            value={String(forward.hostPort)}
            onChange={(event) => change(index, { hostPort: event.target.valueAsNumber })}
          />
          <span aria-hidden>→</span>
          <InputGroup
            className="network-port"
            type="number"
            aria-label={t("network.guestPort")}
            value={String(forward.guestPort)}
            onChange={(event) => change(index, { guestPort: event.target.valueAsNumber })}
          />
          <Button
            size="small"
            variant="minimal"
            icon={<CrossIcon />}
            aria-label={t("network.removeForward", { port: forward.hostPort })}
            onClick={() => onChange(forwards.toSpliced(index, 1))}
          />
        </div>
      ))}
      <Button
        size="small"
        icon={<PlusIcon />}
        text={t("network.addForward")}
        onClick={() =>
          onChange([
            ...forwards,
            {
              protocol: "tcp",
              hostAddress: "127.0.0.1",
              hostPort: freePort(forwards),
              guestAddress: "",
              guestPort: 80,
            },
          ])
        }
      />
    </fieldset>
  );
}
