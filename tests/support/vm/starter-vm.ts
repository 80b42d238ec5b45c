// A real VM process running Starter Linux, for tests of the process as a whole: main's own client, a store-like folder, a console.
import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConsoleTap } from "../../../main/supervisor/console-tap.ts";
import type { VmLauncher } from "../../../main/supervisor/launcher.ts";
import { launchNodeProcess } from "../../../main/supervisor/node-launcher.ts";
import { VmClient, type VmEvent } from "../../../main/supervisor/vm-client.ts";
import { defaultMachineConfig } from "../../../native-core/config/machine-config.ts";
import { nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import { buildStarter } from "../../../scripts/starter/build.ts";

const MODULE = fileURLToPath(new URL("../../../native-core/host/vm-process.ts", import.meta.url));
const BOOT_MS = 180_000;
const ANSWER_MS = 60_000;
let serial = 0;

/** The folders of one machine. */
export class StarterMachine {
  readonly folder: string;
  readonly disk: string;
  readonly #starter: string;

  private constructor(folder: string, starter: string) {
    this.folder = folder;
    this.disk = join(folder, "disks", "disk0.qcow2");
    this.#starter = starter;
  }

  static async create(folder: string): Promise<StarterMachine> {
    const starter = await buildStarter();
    const machine = new StarterMachine(folder, starter);
    for (const name of ["disks", "chunks", "snapshots"]) mkdirSync(join(folder, name), { recursive: true });
    copyFileSync(join(starter, "disk-template.qcow2"), machine.disk);
    return machine;
  }

  /** A new, empty layer on a disk of this machine, in the folder of the disks. Yields its path. */
  async layerOn(below: string, name: string): Promise<string> {
    const host = nodeMediaHost({ trustedFolders: [this.folder] });
    const image = await openChain(host, { path: below, format: "qcow2", readOnly: true });
    const path = join(this.folder, "disks", name);
    const file = await NodeImageFile.open(path, { readOnly: false, create: true });
    await createQcow2(file, image.sizeBytes, { name: basename(below), format: "qcow2" });
    await file.close();
    await image.close();
    return path;
  }

  request(changes: Partial<StartRequest> = {}): StartRequest {
    const kernelFile = join(this.#starter, "vmlinuz");
    const initrdFile = join(this.#starter, "initrd.img");
    const boot = { kernel: kernelFile, initrd: initrdFile, commandLine: "console=tty0 console=ttyS0 quiet" };
    return {
      machineId: "0123456789ab",
      config: { ...defaultMachineConfig("test", boot), memoryMiB: 128 },
      folder: this.folder,
      kernelFile,
      initrdFile,
      disks: [{ id: "disk0", file: this.disk, format: "qcow2", readOnly: false }],
      chunkFolder: join(this.folder, "chunks"),
      logFolder: join(this.folder, "logs"),
      dataSocket: join(this.folder, `data-${++serial}.sock`),
      restoreFrom: null,
      startPaused: false,
      ...changes,
    };
  }
}

/** A running VM process with a shell on its first serial port. */
export class StarterVm {
  readonly client: VmClient;
  readonly request: StartRequest;
  readonly events: VmEvent[];
  readonly console: ConsoleTap;
  #offset = 0;

  private constructor(client: VmClient, request: StartRequest, events: VmEvent[]) {
    this.client = client;
    this.request = request;
    this.events = events;
    this.console = new ConsoleTap(request.dataSocket, 0);
  }

  static async start(request: StartRequest, launch: VmLauncher = launchNodeProcess): Promise<StarterVm> {
    const client = await VmClient.connect(launch(MODULE));
    const events: VmEvent[] = [];
    client.onEvent((event) => events.push(event));
    await client.request("start", request);
    return new StarterVm(client, request, events);
  }

  /** Waits for the shell of a machine that boots. */
  async booted(): Promise<this> {
    await this.expect(/BusyBox v[^]*:\/root# /, BOOT_MS);
    return this;
  }

  /** Types a command and yields what it printed. The shell puts the marks together, so that the echoed line has none. */
  async command(line: string): Promise<string> {
    const mark = ++serial;
    const text = `echo a''${mark}; ${line}; echo z''${mark}\n`;
    await this.client.request("sendText", { port: 0, text });
    const { groups } = await this.expect(new RegExp(`\\na${mark}\\r\\n([^]*?)z${mark}\\r\\n`), ANSWER_MS);
    return (groups[0] ?? "").replaceAll("\r", "").trimEnd();
  }

  async expect(pattern: RegExp, timeoutMs = ANSWER_MS) {
    const found = await this.console.waitFor(pattern, this.#offset, timeoutMs);
    this.#offset = found.offset;
    return found;
  }

  /** The reason of the last stop. */
  get stopReason(): string | null | undefined {
    const event = this.events.findLast((each) => each.kind === "runState" && each.state === "stopped");
    return event?.kind === "runState" ? event.reason : undefined;
  }

  async powerOff(): Promise<void> {
    if (!this.client.hasExited) await this.client.request("powerOff", null);
    await this.client.exited;
    this.console.dispose();
  }

  async kill(): Promise<void> {
    await this.client.kill();
    this.console.dispose();
  }
}
