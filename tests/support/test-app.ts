// An app on a data folder of its own, with the fake VM process and a small stand-in for Starter Linux.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineDefinition } from "../../main/engines/engine.ts";
import { App } from "../../main/services/app.ts";
import { mediaImages } from "../../main/services/disks/media-images.ts";
import { DEFAULT_TIMEOUTS, type VmTimeouts } from "../../main/supervisor/vm-client.ts";
import { AppError } from "../../native-core/common/errors.ts";

export type FakeVm = "fake" | "silent" | "foreign" | "broken";

const MODULES: Readonly<Record<FakeVm, URL>> = {
  fake: new URL("./vm/fake-vm-process.ts", import.meta.url),
  silent: new URL("./vm/silent-vm-process.ts", import.meta.url),
  foreign: new URL("./vm/foreign-vm-process.ts", import.meta.url),
  broken: new URL("./vm/broken-vm-process.ts", import.meta.url),
};

const SHORT_TIMEOUTS: VmTimeouts = { helloMs: 10_000, requestMs: 5000, longRequestMs: 10_000, endMs: 500 };

function fakeEngine(which: FakeVm = "fake"): EngineDefinition {
  return {
    id: "embedded",
    label: "Test engine",
    module: fileURLToPath(MODULES[which]),
    capabilities: {
      engine: "fake",
      liveSnapshots: true,
      saveState: true,
      acpiShutdown: true,
      screenshots: true,
      maxCpus: 1,
      memoryMinMiB: 64,
      memoryMaxMiB: 3072,
    },
    async checkState(state) {
      const file = path.join(state, "memory.json");
      if (!existsSync(file)) throw new AppError("NOT_FOUND", `${file} doesn't exist`, { file });
    },
  };
}

/** A new folder, for the test to remove. */
export async function temporaryFolder(): Promise<string> {
  return mkdtemp(path.join(os.tmpdir(), "terrarium-test-"));
}

/** A file that passes for a bzImage. */
export function kernelBytes(payloadBytes = 64): Buffer {
  const kernel = Buffer.alloc(5 * 512 + payloadBytes);
  kernel.writeUInt8(4, 0x1f1);
  kernel.writeUInt32LE(payloadBytes / 16, 0x1f4);
  kernel.writeUInt16LE(0xaa55, 0x1fe);
  kernel.write("HdrS", 0x202, "latin1");
  kernel.writeUInt16LE(0x020f, 0x206);
  kernel.writeUInt16LE(1, 0x236);
  return kernel;
}

/** vmlinuz, initrd.img and an empty 8 MiB disk template. */
export async function makeStarter(folder: string): Promise<string> {
  const starter = path.join(folder, "starter");
  await mkdir(starter, { recursive: true });
  await writeFile(path.join(starter, "vmlinuz"), kernelBytes());
  await writeFile(path.join(starter, "initrd.img"), "initrd");
  await rm(path.join(starter, "disk-template.qcow2"), { force: true });
  await mediaImages(folder).create(path.join(starter, "disk-template.qcow2"), 8 << 20);
  return starter;
}

export interface TestAppOptions {
  readonly vm?: FakeVm;
  readonly timeouts?: Partial<VmTimeouts>;
}

/** Opens (or reopens) an app below `folder`: data in `home`, Starter's stand-in beside it. */
export async function openTestApp(folder: string, options: TestAppOptions = {}): Promise<App> {
  const engine = fakeEngine(options.vm);
  return App.open({
    home: path.join(folder, "home"),
    starterFolder: path.join(folder, "starter"),
    engines: new Map([[engine.id, engine]]),
    timeouts: { ...DEFAULT_TIMEOUTS, ...SHORT_TIMEOUTS, ...options.timeouts },
  });
}

/** An app with Starter's stand-in in a new folder. `endTestApp` is for after the test. */
export async function startTestApp(): Promise<{ app: App; folder: string }> {
  const folder = await temporaryFolder();
  await makeStarter(folder);
  return { app: await openTestApp(folder), folder };
}

/** Ends the app, machines and all, and removes its folder. */
export async function endTestApp(app: App, folder: string): Promise<void> {
  await app.close("power-off");
  await rm(folder, { recursive: true });
}
