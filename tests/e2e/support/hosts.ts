// Hosts for interface tests: the real services and web host, with the embedded engine or with the scripted guest.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { embeddedEngine } from "../../../main/engines/embedded.ts";
import { App } from "../../../main/services/app.ts";
import { startWebHost } from "../../../main/web-host/web-host.ts";

export interface TestHost {
  readonly home: string;
  /** An address that opens the app, once. */
  entryUrl(): string;
  close(): Promise<void>;
}

export type Guest = "scripted" | "embedded";

export async function startTestHost(guest: Guest, port = 0): Promise<TestHost> {
  const home = await mkdtemp(path.join(tmpdir(), "terrarium-e2e-"));
  const engine = embeddedEngine();
  const module = guest === "scripted" ? fileURLToPath(new URL("./scripted-guest.ts", import.meta.url)) : engine.module;
  const app = await App.open({ home, engines: new Map([["embedded", { ...engine, module }]]) });
  const host = await startWebHost(app, { port });
  return {
    home,
    entryUrl: () => host.entryUrl(),
    async close() {
      await app.close("power-off");
      await host.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
