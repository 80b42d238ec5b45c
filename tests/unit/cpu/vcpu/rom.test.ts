// The firmware's ROM: run and read as memory, written as a device.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../../native-core/cpu/jit/jit.ts";
import { VcpuGroup } from "../../../../native-core/cpu/vcpu-group.ts";
import { interpreterModule, MODEL, PLATFORM } from "../../../support/cpu/long-mode.ts";

const ROM_BYTES = 0x1_0000;
const BASE = 2 ** 32 - ROM_BYTES;
const RESET = 0xfff0;
const WORD = 0x100;
const [RAX, RBX] = [0, 3];

// xor ax, ax; mov cx, 1000; again: add ax, cs:[100h]; loop again; mov cs:[100h], ax; mov bx, cs:[100h]; hlt
const PROGRAM = [
  ...[0x31, 0xc0, 0xb9, 0xe8, 0x03, 0x2e, 0x03, 0x06, 0x00, 0x01, 0xe2, 0xf9],
  ...[0x2e, 0xa3, 0x00, 0x01, 0x2e, 0x8b, 0x1e, 0x00, 0x01, 0xf4],
];

describe.each([
  ["interpreted", undefined],
  ["compiled", { ...DEFAULT_JIT_OPTIONS, threshold: 4, batch: 1 }],
] as const)("The firmware's ROM, %s", (_name, jit) => {
  it("runs and is read without the bus, which is told of writes", () => {
    const rom = new Uint8Array(ROM_BYTES);
    rom.set(PROGRAM);
    rom[WORD] = 3;
    // jmp 0
    rom.set([0xe9, 0x0d, 0x00], RESET);
    const writes: number[][] = [];
    const reads: number[] = [];
    const group = new VcpuGroup({
      ...{ ramBytes: 0x10_0000, vramBytes: 0x1000, rom, interpreterModule: interpreterModule(), jit },
      bus: {
        readMmio: (address) => {
          reads.push(address);
          return 0;
        },
        writeMmio: (...write) => void writes.push(write),
      },
      vcpus: [
        { platform: PLATFORM, model: MODEL, interrupts: { hasInterrupt: () => false, acknowledge: () => undefined } },
      ],
    });
    const [vcpu] = group.vcpus;
    let exit = vcpu?.run(10_000);
    for (let turn = 0; turn < 10 && exit !== "halted"; turn++) exit = vcpu?.run(10_000);
    expect(exit).toBe("halted");
    expect([vcpu?.state.general(RAX), vcpu?.state.general(RBX)]).toEqual([3000n, 3n]);
    expect(writes).toEqual([[BASE + WORD, 2, 3000]]);
    expect(reads).toEqual([]);
    expect(rom[WORD]).toBe(3);
  });
});
