import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultMachineConfig } from "../../../native-core/config/machine-config.ts";
import { bootLoader } from "../../../native-core/host/boot-loader.ts";
import { rehearsalKernel } from "../../../native-core/host/rehearsal-guest.ts";
import { createMachine } from "../../../native-core/machine/machine.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import { fakeProcessor } from "../../support/fake-processor.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const LOAD_ADDRESS = 0x100_0000;
const LAST_BYTE = -1;

describe("A machine that boots a kernel of the user's", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let file: string;

  beforeEach(() => {
    folder = temporaryFolder("boot-loader");
    file = folder.file("kernel");
    writeFileSync(file, rehearsalKernel());
  });
  afterEach(() => folder.remove());

  async function machine(changes: Partial<StartRequest> = {}) {
    const boot = { kernel: file, initrd: null, commandLine: "" };
    const config = { ...defaultMachineConfig("test", boot), memoryMiB: 64 };
    const request = { config, kernelFile: file, initrdFile: null, machineId: "", restoreFrom: null, ...changes };
    const sink = { write: () => undefined };
    return createMachine({
      memoryBytes: config.memoryMiB << 20,
      createProcessor: fakeProcessor,
      firmware: await bootLoader(request as StartRequest),
      serial: [sink, sink],
    });
  }

  /** The last byte of its kernel in memory. */
  function lastByte({ memory }: Awaited<ReturnType<typeof machine>>): number | undefined {
    const bytes = new Uint8Array(rehearsalKernel().length - 0x400);
    memory.read(LOAD_ADDRESS, bytes);
    return bytes.at(LAST_BYTE);
  }

  it.each([
    ["starts", null],
    ["continues", "/state"],
  ])("reads it at a reset as it is then, also when it %s", async (_, restoreFrom) => {
    const running = await machine({ restoreFrom });
    running.powerOn();
    const before = lastByte(running);
    const changed = rehearsalKernel();
    changed[changed.length - 1] = 0xa5;
    writeFileSync(file, changed);
    running.reset();
    expect([before, lastByte(running)]).toEqual([rehearsalKernel().at(LAST_BYTE), 0xa5]);
  });

  it("starts with the kernel that was checked", async () => {
    const running = await machine();
    rmSync(file);
    running.powerOn();
    expect(lastByte(running)).toBe(rehearsalKernel().at(LAST_BYTE));
  });

  it("stops at a reset and says why when it is gone", async () => {
    const running = await machine();
    running.powerOn();
    rmSync(file);
    const details = { file, field: "boot.kernel", consequence: "The machine was stopped." };
    expect(() => running.reset()).toThrow(expect.objectContaining({ code: "NOT_FOUND", details }));
  });
});
