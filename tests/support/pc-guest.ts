// A PC that boots from firmware for tests of the whole machine: SeaBIOS from Debian's package, disks and discs of the test's own, a
// keyboard, and the text on the screen.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PcFirmware, type PcFirmwareParts } from "../../native-core/firmware/pc-firmware.ts";
import { hostInputs } from "../../native-core/host/host-inputs.ts";
import { nodeEventLoop } from "../../native-core/host/node-event-loop.ts";
import {
  createMachine,
  type Machine,
  type MachineParts,
  type ProcessorFactory,
} from "../../native-core/machine/machine.ts";
import { MachineRunner, type RunnerEvent } from "../../native-core/machine/runner.ts";
import { unpackedPackage } from "../../scripts/starter/packages.ts";
import { waitUntil } from "./wait-until.ts";

const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));
const TEXT_SCREEN = 0xb8000;
const COLUMNS = 80;
const ROWS = 25;
/** Generous: the test machine may be busy. */
const WAIT_MS = 280_000;

/** Keys side by side on a keyboard have make codes one after another. */
function row(first: number, keys: string): Record<string, number> {
  return Object.fromEntries(Array.from(keys, (key, index) => [key, first + index]));
}

/** Set-1 make codes of what tests type. */
const KEYS: Readonly<Record<string, number>> = {
  ...row(0x02, "1234567890-="),
  ...row(0x10, "qwertyuiop[]"),
  ...row(0x1e, "asdfghjkl;'"),
  ...row(0x2c, "zxcvbnm,./"),
  "\n": 0x1c,
  " ": 0x39,
  "\t": 0x0f,
  "\u001b": 0x01,
};
const SHIFTED: Readonly<Record<string, string>> = {
  ...{ "(": "9", ")": "0", _: "-", "+": "=", ":": ";", '"': "'", "*": "8" },
};
const SHIFT = 0x2a;
/** Pointers into the BIOS's keyboard buffer: next key to be read, next free place. */
const KEYBOARD_HEAD = 0x41a;
const KEYBOARD_TAIL = 0x41c;
const KEYS_AT_ONCE = 7;

/** A file of a Debian package, fetched once. Throws (fails the test) when it can't be had. */
export async function packageFile(name: string, path: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(await unpackedPackage(name, CACHE), path)));
}

export interface PcGuestOptions {
  readonly createProcessor: ProcessorFactory;
  readonly memoryMib?: number;
  readonly firmware?: Partial<PcFirmwareParts>;
  readonly parts?: Partial<MachineParts>;
}

/** Runs by the wall clock, as in the app: boot loaders wait for time to pass, not for instructions. */
export class PcGuest {
  readonly machine: Machine;
  readonly runner: MachineRunner;
  /** What came out of COM1. */
  console = "";
  #ended: RunnerEvent | undefined;

  private constructor(firmware: PcFirmware, memoryBytes: number, { createProcessor, parts }: PcGuestOptions) {
    this.machine = createMachine({
      ...{ memoryBytes, createProcessor, firmware, inputs: hostInputs, video: {} },
      serial: [{ write: (byte) => void (this.console += String.fromCharCode(byte)) }, { write: () => {} }],
      ...parts,
    });
    this.runner = new MachineRunner(this.machine, nodeEventLoop, (event) => {
      if (event !== "reset") this.#ended = event;
    });
  }

  /** The machine is on, and stands still until `runner.resume`. */
  static async create(options: PcGuestOptions): Promise<PcGuest> {
    const memoryBytes = (options.memoryMib ?? 128) << 20;
    const image = async (name: string) => ({
      file: name,
      bytes: await packageFile("seabios", `usr/share/seabios/${name}`),
    });
    const firmware = new PcFirmware({
      bios: await image("bios-256k.bin"),
      videoBios: await image("vgabios-stdvga.bin"),
      ...{ memoryBytes, cpuCount: 1, uuid: new Uint8Array(16), bootOrder: [], bootMenuMs: 0 },
      ...options.firmware,
    });
    const guest = new PcGuest(firmware, memoryBytes, options);
    guest.machine.powerOn();
    return guest;
  }

  static async start(options: PcGuestOptions): Promise<PcGuest> {
    const guest = await PcGuest.create(options);
    guest.runner.resume();
    return guest;
  }

  /** The text screen, lines without trailing blanks. Box drawing and the like are blanks. */
  get screen(): string {
    const { bus } = this.machine;
    const lines = Array.from({ length: ROWS }, (_, row) => {
      const cells = Array.from({ length: COLUMNS }, (_, column) => {
        const code = bus.readMmio(TEXT_SCREEN + (row * COLUMNS + column) * 2, 1);
        return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : " ";
      });
      return cells.join("").trimEnd();
    });
    return lines.join("\n");
  }

  /** Types into firmware or a boot loader, no faster than it reads: its buffer holds 15 keys. */
  async type(text: string): Promise<void> {
    for (let at = 0; at < text.length; at += KEYS_AT_ONCE) {
      const { memory } = this.machine;
      const before = memory.readU16(KEYBOARD_TAIL);
      for (const character of text.slice(at, at + KEYS_AT_ONCE)) this.#press(character);
      await this.waitFor(`that ${JSON.stringify(text)} is read`, () => {
        const tail = memory.readU16(KEYBOARD_TAIL);
        return tail !== before && tail === memory.readU16(KEYBOARD_HEAD);
      });
    }
  }

  waitForScreen(text: string): Promise<void> {
    return this.waitFor(JSON.stringify(text), () => this.screen.includes(text));
  }

  waitForConsole(text: string): Promise<void> {
    return this.waitFor(JSON.stringify(text), () => this.console.includes(text));
  }

  async waitFor(what: string, holds: () => boolean): Promise<void> {
    await waitUntil(`${what} appears`, () => holds() || this.#ended !== undefined, WAIT_MS);
    if (!holds()) throw new Error(`the guest ended (${this.#ended}) without ${what}:\n${this.#lastSeen}`);
  }

  get #lastSeen(): string {
    return `${this.screen.trimEnd()}\n--\n${this.console.slice(-2000)}`;
  }

  stop(): void {
    this.runner.pause();
  }

  #press(character: string): void {
    const shifted = SHIFTED[character];
    const key = KEYS[shifted ?? character];
    if (key === undefined) throw new Error(`no key for ${JSON.stringify(character)}`);
    if (shifted !== undefined) this.#key(SHIFT, true);
    this.#key(key, true);
    this.#key(key, false);
    if (shifted !== undefined) this.#key(SHIFT, false);
  }

  #key(key: number, down: boolean): void {
    this.machine.post({ kind: "key", key, down });
  }
}

/** A read-only disk or disc with these bytes. */
export function fixedMedium(content: Uint8Array) {
  const refuse = (): Promise<void> => Promise.reject(new Error("read-only"));
  return {
    sizeBytes: content.length - (content.length % 512),
    readOnly: true,
    read: async (offset: number, target: Uint8Array): Promise<void> =>
      target.set(content.subarray(offset, offset + target.length)),
    ...{ write: refuse, discard: refuse, writeZeroes: refuse, flush: async (): Promise<void> => {} },
  };
}
