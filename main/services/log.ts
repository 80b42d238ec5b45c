// The host's own log: JSON lines on stderr, or into run/host.log for a host in the background. Never on stdout, which belongs to
// the answers of commands.
import { destination, pino } from "pino";

/** A defect in the work for one machine must not take the others down: it is logged, and the host goes on. */
export function surviveDefects(): void {
  process.on("unhandledRejection", (error) => log.error({ err: error }, "unhandled rejection"));
}

export const log = pino(
  { level: process.env["TERRARIUM_LOG"] ?? "warn", base: null },
  destination({ fd: 2, sync: true }),
);
