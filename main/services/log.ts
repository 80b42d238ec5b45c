// The host's own log: JSON lines on stderr, or into run/host.log for a host in the background. Never on stdout, which belongs to
// the answers of commands.
import { destination, pino } from "pino";

export const log = pino(
  { level: process.env["TERRARIUM_LOG"] ?? "warn", base: null },
  destination({ fd: 2, sync: true }),
);
