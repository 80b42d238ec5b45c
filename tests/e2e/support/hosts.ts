// Hosts for interface tests: the real services and web host, with the embedded engine or with the scripted guest.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { embeddedEngine } from "../../../main/engines/embedded.ts";
import type { EngineDefinition } from "../../../main/engines/engine.ts";
import { App } from "../../../main/services/app.ts";
import { startWebHost } from "../../../main/web-host/web-host.ts";
import { builtRenderer } from "./renderer-build.ts";

export interface TestHost {
  readonly home: string;
  /** Where its machines lie. */
  machineFolders(): Promise<string[]>;
  /** An address that opens the app, once. */
  entryUrl(): string;
  /** Closes the web side and opens it again on the same port, as a host that was started anew: old sessions are over. */
  restartWeb(): Promise<void>;
  /** Ends every VM process at once, as the system would when memory runs out. */
  killGuests(): Promise<void>;
  close(): Promise<void>;
}

export type Guest = "scripted" | "embedded";

async function childrenRunning(module: string): Promise<number[]> {
  const entries = await readdir("/proc");
  const pids = entries.map(Number).filter((pid) => pid > 0);
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const [status, commandLine] = await Promise.all([
        readFile(`/proc/${pid}/status`, "utf8").catch(() => ""),
        readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
      ]);
      return status.includes(`PPid:\t${process.pid}\n`) && commandLine.includes(module);
    }),
  );
  return pids.filter((_, index) => matches[index]);
}

function engineOf(guest: Guest): EngineDefinition {
  const embedded = embeddedEngine();
  if (guest === "embedded") return embedded;
  // The scripted guest's states are its own, so the embedded engine's check is not for them.
  const { id, label, capabilities } = embedded;
  return { id, label, capabilities, module: fileURLToPath(new URL("./scripted-guest.ts", import.meta.url)) };
}

/** `prepare` may fill the data folder before the host opens it. */
export async function startTestHost(
  guest: Guest,
  prepare: (home: string) => Promise<void> = async () => undefined,
): Promise<TestHost> {
  const rendererFolder = await builtRenderer();
  const home = await mkdtemp(path.join(tmpdir(), "terrarium-e2e-"));
  await prepare(home);
  const engine = engineOf(guest);
  const { module } = engine;
  const app = await App.open({ home, engines: new Map([["embedded", engine]]) });
  let host = await startWebHost(app, { port: 0, rendererFolder });
  return {
    home,
    async machineFolders() {
      const machines = path.join(home, "machines");
      return (await readdir(machines)).map((name) => path.join(machines, name));
    },
    entryUrl: () => host.entryUrl(),
    async restartWeb() {
      const { port } = host;
      await host.close();
      host = await startWebHost(app, { port, rendererFolder });
    },
    async killGuests() {
      for (const pid of await childrenRunning(module)) process.kill(pid, "SIGKILL");
    },
    async close() {
      await app.close("power-off");
      await host.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
