// Packets of an adapter captured into a file whose disk is full.
import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { AdapterSlot } from "../../../native-core/host/network/adapter-slot.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";
import { waitUntil } from "../../support/wait-until.ts";

const original = fs.createWriteStream;
const folder = temporaryFolder("capture");
const warnings: string[] = [];
let slot: AdapterSlot;

beforeEach(() => {
  const config = { ...defaultAdapter("nic0", "52:54:00:12:34:56"), network: "none" } as const;
  slot = new AdapterSlot(config, {
    ...{ machineId: "0123456789ab", hubSocket: null, portsElsewhere: () => [] },
    warn: (text) => warnings.push(text),
  });
});
afterEach(async () => {
  setStream(original);
  await slot.close();
  folder.remove();
});

function setStream(create: typeof original): void {
  fs.createWriteStream = create;
  syncBuiltinESMExports();
}

function fullDisk(_file: unknown, options: unknown): fs.WriteStream {
  const { fd } = options as { fd: FileHandle };
  const write = (_chunk: unknown, _encoding: unknown, done: (error: Error) => void) =>
    done(Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }));
  return new Writable({ write, destroy: (error, done) => void fd.close().then(() => done(error)) }) as fs.WriteStream;
}

it("A capture that finds its disk full is over, says why, and can be begun anew", async () => {
  const file = folder.file("full.pcapng");
  setStream(fullDisk as typeof original);
  await slot.startCapture(file);
  await waitUntil("the capture has ended", () => slot.status().capture === null, 10_000);
  const problem = `The capture ended: ${file} could not be written: the disk is full`;
  expect(slot.status().problems).toEqual([problem]);
  expect(warnings).toEqual([`nic0: ${problem}`]);

  setStream(original);
  const next = folder.file("next.pcapng");
  await slot.startCapture(next);
  expect(slot.status()).toMatchObject({ capture: { file: next }, problems: [] });
  await slot.stopCapture();
  expect(fs.statSync(next).size).toBeGreaterThan(0);
});
