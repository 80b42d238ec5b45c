// Network: every network with the adapters plugged into it, their traffic and addresses; cables and captures are switched here.
import { Button, Switch, Tag } from "@blueprintjs/core";
import { RecordIcon, StopIcon } from "@blueprintjs/icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { MachineDetails, NetworkView } from "../../../main/contract/schemas.ts";
import type { AdapterStatus } from "../../../native-core/protocol/network.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { openDialog, selectMachine } from "../../app/navigation.ts";
import { formatBytes } from "../../ui/format.ts";
import { isLive } from "../machines/rules.ts";
import { changeAdapter, networkName, toggleCapture } from "./adapters.ts";
import "./network.css";

const REFRESH_MS = 2000;

interface Overview {
  readonly networks: NetworkView[];
  readonly machines: ReadonlyMap<string, { details: MachineDetails; status: AdapterStatus[] }>;
}

async function loadOverview(): Promise<Overview> {
  const networks = await client.networks.list();
  const ids = new Set(networks.flatMap(({ members }) => members.map(({ machineId }) => machineId)));
  const entries = await Promise.all(
    [...ids].map(async (id) => {
      const [details, status] = await Promise.all([client.machines.get({ id }), client.networks.status({ id })]);
      return [id, { details, status }] as const;
    }),
  );
  return { networks, machines: new Map(entries) };
}

interface MemberProps {
  readonly member: NetworkView["members"][number];
  readonly overview: Overview;
  readonly lease: string | undefined;
}

function MemberRow({ member, overview, lease }: MemberProps) {
  const { t } = useTranslation();
  const { machineId, adapterId } = member;
  const queries = useQueryClient();
  const refresh = () => void queries.invalidateQueries({ queryKey: keys.networks });
  const machine = overview.machines.get(machineId);
  const adapter = machine?.details.config.adapters.find(({ id }) => id === adapterId);
  const status = machine?.status.find(({ id }) => id === adapterId);
  if (!machine || !adapter) return null;
  const { counters } = status ?? {};
  const label = t("network.adapterOf", { adapter: adapterId, machine: member.machineName });
  return (
    <tr>
      <th scope="row">
        <button type="button" className="setting-link" onClick={() => selectMachine(machineId)}>
          {member.machineName}
        </button>{" "}
        <button
          type="button"
          className="setting-link"
          aria-label={t("details.edit", { label })}
          onClick={() => openDialog({ kind: "settings", machineId, field: "adapters" })}
        >
          {adapterId}
        </button>
        {status?.problems.map((problem) => (
          <Tag key={problem} minimal intent="warning" title={problem}>
            {t("network.problem")}
          </Tag>
        ))}
      </th>
      <td className="mono">{lease ?? ""}</td>
      <td className="mono">{member.mac}</td>
      <td>
        <Switch
          aria-label={t("network.cableOf", { label })}
          checked={adapter.connected}
          onChange={(event) =>
            void changeAdapter(machineId, adapterId, { connected: event.currentTarget.checked }).then(refresh)
          }
        />
      </td>
      <td className="number">{counters && formatBytes(counters.receivedBytes)}</td>
      <td className="number">{counters && formatBytes(counters.sentBytes)}</td>
      <td className="number">{counters && counters.deniedFrames > 0 ? counters.deniedFrames : ""}</td>
      <td className="number">{adapter.forwards.length + adapter.firewall.rules.length || ""}</td>
      <td>
        <Button
          size="small"
          variant="minimal"
          icon={status?.capture ? <StopIcon /> : <RecordIcon />}
          aria-label={t(status?.capture ? "network.stopCapture" : "network.startCapture", { label })}
          text={status?.capture ? formatBytes(status.capture.bytes) : undefined}
          title={status?.capture?.file}
          disabled={!isLive(machine.details.state)}
          onClick={() => void toggleCapture(machineId, adapterId, !status?.capture).then(refresh)}
        />
      </td>
    </tr>
  );
}

function NetworkSection({ network, overview }: { readonly network: NetworkView; readonly overview: Overview }) {
  const { t } = useTranslation();
  const title = networkName({ network: network.kind, networkName: network.name });
  return (
    <section className="network-section" aria-label={title}>
      <h2>{title}</h2>
      <p className="muted">
        {t(`network.kindHelp.${network.kind}`)}
        {network.hostAddress !== null && ` ${t("network.hostAt", { address: network.hostAddress })}`}
      </p>
      <table className="data-table" aria-label={title}>
        <thead>
          <tr>
            {(["adapter", "address", "mac", "cable", "received", "sent", "denied", "rules", "capture"] as const).map(
              (column) => (
                <th key={column} scope="col">
                  {t(`network.columns.${column}`)}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {network.members.map((member) => (
            <MemberRow
              key={`${member.machineId} ${member.adapterId}`}
              member={member}
              overview={overview}
              lease={network.leases.find(({ mac }) => mac === member.mac.toLowerCase())?.address}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

export default function NetworkTool() {
  const { t } = useTranslation();
  const overview = useQuery({
    queryKey: keys.networks,
    queryFn: loadOverview,
    staleTime: 0,
    refetchInterval: REFRESH_MS,
    refetchIntervalInBackground: false,
  }).data;
  return (
    <div className="tool-page">
      <div className="tool-head">
        <h1>{t("tool.network")}</h1>
      </div>
      {overview?.networks.map((network) => (
        <NetworkSection key={`${network.kind} ${network.name}`} network={network} overview={overview} />
      ))}
      {overview?.networks.length === 0 && <p className="muted">{t("network.empty")}</p>}
    </div>
  );
}
