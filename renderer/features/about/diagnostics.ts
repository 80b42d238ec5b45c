// A report for somebody who helps: versions, the host and what the machines are doing. No names, no paths, no addresses, nothing typed.
import type { HostInfo, MachineSummary } from "../../../main/contract/schemas.ts";

const GIB = 2 ** 30;

export interface DiagnosticsInput {
  readonly host: HostInfo;
  readonly machines: readonly MachineSummary[];
  readonly userAgent: string;
  readonly shell: string;
  readonly atMs: number;
}

function counts(values: readonly string[]): string {
  const by = new Map<string, number>();
  for (const value of values) by.set(value, (by.get(value) ?? 0) + 1);
  return [...by].map(([value, count]) => `${count} ${value}`).join(", ") || "none";
}

export function diagnosticsText({ host, machines, userAgent, shell, atMs }: DiagnosticsInput): string {
  const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;
  const failures = machines.flatMap(({ lastFailure }) => (lastFailure ? [lastFailure.code] : []));
  const lines = [
    ["Terrarium", `${host.appVersion}, contract ${host.contractVersion}`],
    ["Time", new Date(atMs).toISOString()],
    ["Shell", `${shell}, ${userAgent}`],
    ["Platform", host.platform],
    ["Processor", `${host.cpuModel}, ${host.cpuCount} cores, ${Math.round(host.cpuLoad * 100)} % busy`],
    ["Memory", `${gib(host.freeMemoryBytes)} of ${gib(host.memoryBytes)} free`],
    ["Disk", `${gib(host.freeDiskBytes)} free`],
    ["Starter Linux", host.starterAvailable ? "built" : "not built"],
    ["Machines", counts(machines.map(({ state }) => state))],
    ["Last failures", counts(failures)],
    ["Repairs at start", String(host.notices.length)],
  ];
  return `${lines.map(([label, value]) => `${label}: ${value}`).join("\n")}\n`;
}
