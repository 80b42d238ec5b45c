// The VM process on a host that falls asleep: with SIGUSR2 an hour passes that its monotonic clock does not count.
const HOUR_MS = 3_600_000;
const { now } = Date;
let sleptMs = 0;
Date.now = () => now() + sleptMs;
process.on("SIGUSR2", () => {
  sleptMs += HOUR_MS;
});
await import("../../../native-core/host/vm-process.ts");
