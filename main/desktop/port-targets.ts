// What a window may ask a port for. Kept apart from Electron, so that it is tested without it.
import type { DataChannel } from "../../native-core/protocol/engine.ts";
import { parseDataPath } from "../web-host/data-channel.ts";

export type PortTarget =
  | { readonly kind: "rpc" }
  | { readonly kind: "data"; readonly machineId: string; readonly channel: DataChannel };

/** `rpc` or `data/<machineId>/<channel>`; null for anything else. */
export function parsePortTarget(target: unknown): PortTarget | null {
  if (target === "rpc") return { kind: "rpc" };
  if (typeof target !== "string") return null;
  const data = parseDataPath(`/${target}`);
  return data ? { kind: "data", ...data } : null;
}
