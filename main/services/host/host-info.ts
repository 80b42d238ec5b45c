// Facts about this host for its clients.
import { readFileSync } from "node:fs";
import os from "node:os";
import { CONTRACT_VERSION, type HostInfo } from "../../contract/schemas.ts";
import type { ServiceContext } from "../context.ts";
import { freeBytes } from "./free-space.ts";

export async function hostInfo(context: ServiceContext, notices: readonly string[]): Promise<HostInfo> {
  const cpus = os.cpus();
  const { root } = context.store.data;
  const freeDiskBytes = await freeBytes(root).catch(() => 0);
  return {
    contractVersion: CONTRACT_VERSION,
    appVersion: appVersion(),
    platform: `${process.platform} ${process.arch}`,
    cpuModel: cpus[0]?.model.trim() ?? "unknown",
    cpuCount: cpus.length,
    memoryBytes: os.totalmem(),
    freeMemoryBytes: os.freemem(),
    cpuLoad: Math.min(1, (os.loadavg()[0] ?? 0) / Math.max(1, cpus.length)),
    freeDiskBytes,
    home: root,
    starterAvailable: await context.resources.starterAvailable(),
    notices: [...notices],
  };
}

let version: string | null = null;

export function appVersion(): string {
  if (version === null) {
    const content: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    version = (content as { version: string }).version;
  }
  return version;
}
