// What the guest may rely on when translations are cached: rights, flushes, dirty pages, pages that come late.
import { describe, expect, it, vi } from "vitest";
import { CpuException } from "../../../../native-core/cpu/context.ts";
import { readCounters } from "../../../../native-core/cpu/counters.ts";
import { PAGE_FLAG } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, DATA, interpreterMachine, quadwords } from "../../../support/cpu/long-mode.ts";

const PD = 0x3000;
const PT = 0x5000;
const PRESENT_RW_US = 7n;

/** The first 2 MiB by pages of 4 KiB, all user and writable. */
function smallPages(cpu: InterpreterVcpu): void {
  cpu.ram.write(PT, quadwords(...Array.from({ length: 512 }, (_, n) => BigInt(n * 4096) | PRESENT_RW_US)));
  cpu.ram.write(PD, quadwords(BigInt(PT) | PRESENT_RW_US));
  cpu.memory.flush(false);
}

function mapPage(cpu: InterpreterVcpu, linear: number, entry: bigint): void {
  cpu.ram.write(PT + (linear >>> 12) * 8, quadwords(entry));
}

function fault(action: () => unknown): CpuException | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof CpuException) return error;
    throw error;
  }
}

describe("cached translations", () => {
  it("stay until they are invalidated", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    cpu.ram.write(DATA, Uint8Array.of(1));
    cpu.ram.write(DATA + 0x1000, Uint8Array.of(2));
    expect(cpu.memory.read(BigInt(DATA), 1)).toBe(1n);
    mapPage(cpu, DATA, BigInt(DATA + 0x1000) | PRESENT_RW_US);
    cpu.memory.invalidatePage(BigInt(DATA));
    expect(cpu.memory.read(BigInt(DATA), 1)).toBe(2n);
  });

  it("of a large page all go with one INVLPG in it", () => {
    const cpu = interpreterMachine();
    cpu.memory.read(BigInt(DATA), 1);
    cpu.memory.read(BigInt(DATA + 0x5000), 1);
    smallPagesWithoutFlush(cpu);
    mapPage(cpu, DATA + 0x5000, 0n);
    cpu.memory.invalidatePage(BigInt(DATA));
    expect(fault(() => cpu.memory.read(BigInt(DATA + 0x5000), 1))?.vector).toBe(14);
  });

  it("of a page of 4 MiB all go with one INVLPG in it, and no others", () => {
    const cpu = interpreterMachine(8 << 20);
    const directory = 0x1000;
    const entries = (first: number): Uint8Array => new Uint8Array(Uint32Array.of(first, 0x40_0087).buffer);
    cpu.ram.write(directory, entries(0x87));
    cpu.state.set(STATE.efer, 0n);
    cpu.state.set(STATE.cr4, 0x10n);
    cpu.state.setSegment("cs", "attributes", 0xcf9bn);
    cpu.modeChanged();
    cpu.memory.flush(false);
    const read = (address: bigint): bigint => cpu.memory.read(address, 1);
    for (const address of [0x1_0000n, 0x31_0000n, 0x40_0000n]) read(address);
    cpu.ram.write(directory, entries(0));
    cpu.memory.invalidatePage(0x31_0000n);
    expect(fault(() => read(0x1_0000n))?.vector).toBe(14);
    const { tlbMisses } = readCounters(new DataView(cpu.ram.bytes().buffer), undefined);
    read(0x40_0000n);
    expect(readCounters(new DataView(cpu.ram.bytes().buffer), undefined).tlbMisses).toBe(tlbMisses);
  });

  it("of global pages survive a flush that keeps them, others do not", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | 0x80n);
    mapPage(cpu, DATA, BigInt(DATA) | PRESENT_RW_US | 0x100n);
    cpu.memory.flush(false);
    cpu.memory.read(BigInt(DATA), 1);
    cpu.memory.read(BigInt(DATA + 0x1000), 1);
    mapPage(cpu, DATA, 0n);
    mapPage(cpu, DATA + 0x1000, 0n);
    cpu.memory.flush(true);
    expect(fault(() => cpu.memory.read(BigInt(DATA), 1))).toBeUndefined();
    expect(fault(() => cpu.memory.read(BigInt(DATA + 0x1000), 1))?.vector).toBe(14);
    cpu.memory.flush(false);
    expect(fault(() => cpu.memory.read(BigInt(DATA), 1))?.vector).toBe(14);
  });

  it("for reading give no right to write", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    mapPage(cpu, DATA, BigInt(DATA) | 5n);
    cpu.memory.read(BigInt(DATA), 8);
    expect(fault(() => cpu.memory.write(BigInt(DATA), 8, 1n))).toMatchObject({ vector: 14, errorCode: 3 });
  });

  it("of the supervisor give user code no right", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    mapPage(cpu, DATA, BigInt(DATA) | 3n);
    cpu.memory.read(BigInt(DATA), 8);
    cpu.state.setNumber(STATE.cpl, 3);
    expect(fault(() => cpu.memory.read(BigInt(DATA), 8))).toMatchObject({ vector: 14, errorCode: 5 });
    expect(fault(() => cpu.memory.read(BigInt(DATA), 8, true))).toBeUndefined();
  });
});

describe("rights to write that are cached", () => {
  it("go, the supervisor's and the user's, each time their page comes to hold code", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    const code = BigInt(DATA);
    const runWith = (value: bigint, cpl: 0 | 3): bigint => {
      cpu.state.setNumber(STATE.cpl, cpl);
      cpu.memory.write(code + 1n, 1, value);
      cpu.state.setNumber(STATE.cpl, 0);
      cpu.state.set(STATE.rip, code);
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(10);
      return cpu.state.general(0);
    };
    // mov eax, imm32; hlt
    cpu.ram.write(DATA, Uint8Array.of(0xb8, 0, 0, 0, 0, 0xf4));
    cpu.memory.write(code + 64n, 1, 0n);
    const values = [1n, 2n, 3n, 4n, 5n, 6n];
    expect(values.map((value) => runWith(value, value % 2n === 0n ? 3 : 0))).toEqual(values);
    expect(values.map((value) => runWith(value, 3))).toEqual(values);
  });

  it("reach 64 MiB: pages that were walked once are not walked again", () => {
    const firstPage = 1024;
    const pages = 12_288;
    const cpu = interpreterMachine(64 << 20);
    cpu.ram.write(PD, quadwords(...Array.from({ length: 32 }, (_, n) => BigInt(n << 21) | 0x87n)));
    cpu.memory.flush(false);
    const walks = (): number => readCounters(new DataView(cpu.ram.bytes().buffer), undefined).tlbMisses;
    const writeEach = (): number => {
      const before = walks();
      for (let n = 0; n < pages; n++) cpu.memory.write(BigInt((firstPage + n) * 4096), 1, 1n);
      return walks() - before;
    };
    expect(writeEach()).toBe(pages);
    expect(writeEach()).toBe(0);
  });
});

function smallPagesWithoutFlush(cpu: InterpreterVcpu): void {
  const flush = cpu.memory.flush.bind(cpu.memory);
  cpu.memory.flush = () => {};
  smallPages(cpu);
  cpu.memory.flush = flush;
}

describe("an access that crosses a page", () => {
  it("reads both halves from their own pages", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    mapPage(cpu, DATA + 0x1000, BigInt(DATA + 0x3000) | PRESENT_RW_US);
    cpu.memory.flush(false);
    cpu.ram.write(DATA + 0xffc, Uint8Array.of(1, 2, 3, 4));
    cpu.ram.write(DATA + 0x3000, Uint8Array.of(5, 6, 7, 8));
    expect(cpu.memory.read(BigInt(DATA + 0xffc), 8)).toBe(0x0807_0605_0403_0201n);
  });

  it("writes nothing when the second page faults, and reports that page", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    mapPage(cpu, DATA + 0x1000, 0n);
    cpu.memory.flush(false);
    cpu.ram.write(DATA + 0xffc, new Uint8Array(4));
    expect(fault(() => cpu.memory.write(BigInt(DATA + 0xffc), 8, -1n))).toMatchObject({ vector: 14, errorCode: 2 });
    expect(cpu.state.get(STATE.cr2)).toBe(BigInt(DATA + 0x1000));
    expect(cpu.ram.readU32(DATA + 0xffc)).toBe(0);
  });

  it.each([
    ["MOV", [0x48, 0x89, 0x03], 0xffc], // mov [rbx], rax
    ["INC", [0xff, 0x03], 0xffe], // inc dword [rbx]
    ["MOVUPS", [0x0f, 0x11, 0x03], 0xff8], // movups [rbx], xmm0
    ["FXSAVE", [0x0f, 0xae, 0x03], 0xf00], // fxsave [rbx]
    ["CMPXCHG16B", [0x48, 0x0f, 0xc7, 0x0b], 0xff0], // within the page: that becomes dirty
  ])("%s leaves the first page clean when the second one faults", (name, code, offset) => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    mapPage(cpu, DATA + 0x1000, 0n);
    cpu.memory.flush(false);
    cpu.ram.write(CODE, Uint8Array.from(code));
    cpu.invalidateAll();
    cpu.state.setGeneral(3, BigInt(DATA + offset));
    cpu.step();
    const isDirty = (cpu.ram.readU32(PT + (DATA >>> 12) * 8) & 0x40) !== 0;
    expect(isDirty).toBe(name === "CMPXCHG16B");
    expect(cpu.state.get(STATE.rip) === BigInt(CODE + code.length)).toBe(name === "CMPXCHG16B");
  });
});

describe("an instruction that crosses a page", () => {
  it("follows its second page when that is mapped anew, and is translated once for each", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    const at = CODE + 0x1000 - 2;
    const next = CODE + 0x1000;
    // mov eax, imm32, of which the upper three bytes are in the second page; hlt
    cpu.ram.write(at, Uint8Array.of(0xb8, 1, 2, 3, 4, 0xf4));
    cpu.ram.write(DATA, Uint8Array.of(5, 6, 7, 0xf4));
    const add = vi.spyOn(cpu.blocks, "add");
    const run = (second: number): bigint => {
      mapPage(cpu, next, BigInt(second) | PRESENT_RW_US);
      cpu.memory.flush(true);
      cpu.state.set(STATE.rip, BigInt(at));
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(100);
      return cpu.state.general(0);
    };
    expect(run(next)).toBe(0x04030201n);
    const first = add.mock.calls.length;
    expect(run(next)).toBe(0x04030201n);
    expect(add.mock.calls.length).toBe(first);
    expect(run(DATA)).toBe(0x07060501n);
    expect(run(next)).toBe(0x04030201n);
  });

  it("faults at its second page", () => {
    const cpu = interpreterMachine();
    smallPages(cpu);
    const at = CODE + 0x1000 - 2;
    cpu.ram.write(at, Uint8Array.of(0xb8, 1, 2, 3, 4, 0xf4));
    const run = (): void => {
      cpu.memory.flush(true);
      cpu.state.set(STATE.rip, BigInt(at));
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(100);
    };
    run();
    mapPage(cpu, CODE + 0x1000, 0n);
    run();
    expect(cpu.state.get(STATE.cr2)).toBe(BigInt(CODE + 0x1000));
    expect(cpu.memory.read(cpu.state.general(4) + 8n, 8)).toBe(BigInt(at));
  });
});

describe("page flags", () => {
  const page = DATA >>> 12;

  it("a write makes the page dirty, a read does not", () => {
    const cpu = interpreterMachine();
    cpu.ram.clearDirty();
    cpu.memory.read(BigInt(DATA), 8);
    expect([...cpu.ram.dirtyPages()]).not.toContain(page);
    cpu.memory.write(BigInt(DATA), 8, 1n);
    expect([...cpu.ram.dirtyPages()]).toContain(page);
  });

  it("a page is dirty again after clearing, although its translation was cached", () => {
    const cpu = interpreterMachine();
    cpu.memory.write(BigInt(DATA), 8, 1n);
    cpu.ram.clearDirty();
    expect([...cpu.ram.dirtyPages()]).toEqual([]);
    cpu.memory.write(BigInt(DATA), 8, 2n);
    expect([...cpu.ram.dirtyPages()]).toContain(page);
  });

  it("a missing page is fetched once, at its first touch", () => {
    const cpu = interpreterMachine();
    const fetched: number[] = [];
    cpu.ram.onMissing = (missing) => {
      fetched.push(missing);
      cpu.ram.flags[missing] = (cpu.ram.flags[missing] ?? 0) & ~PAGE_FLAG.missing;
      cpu.ram.bytes().fill(0x5a, missing * 4096, (missing + 1) * 4096);
    };
    cpu.ram.flags[page] = PAGE_FLAG.missing;
    cpu.ram.flagsChanged();
    expect(fetched).toEqual([]);
    expect(cpu.memory.read(BigInt(DATA), 2)).toBe(0x5a5an);
    cpu.memory.write(BigInt(DATA), 1, 0n);
    expect(fetched).toEqual([page]);
  });

  it("a page table that is missing is fetched by the walk", () => {
    const cpu = interpreterMachine();
    const content = cpu.ram.bytes().slice(PD, PD + 4096);
    cpu.ram.onMissing = (missing) => {
      cpu.ram.flags[missing] = 0;
      cpu.ram.bytes().set(content, missing * 4096);
    };
    cpu.ram.bytes().fill(0, PD, PD + 4096);
    cpu.ram.flags[PD >>> 12] = PAGE_FLAG.missing;
    cpu.ram.flagsChanged();
    expect(fault(() => cpu.memory.read(BigInt(CODE), 1))).toBeUndefined();
  });

  it("the old content of a protected page is kept before the first write", () => {
    const cpu = interpreterMachine();
    cpu.ram.write(DATA, Uint8Array.of(7));
    const kept: number[] = [];
    cpu.ram.onProtected = (guarded) => {
      kept.push(cpu.ram.bytes()[guarded * 4096] ?? -1);
      cpu.ram.flags[guarded] = (cpu.ram.flags[guarded] ?? 0) & ~PAGE_FLAG.protected;
    };
    cpu.ram.flags[page] = PAGE_FLAG.protected;
    cpu.ram.flagsChanged();
    cpu.memory.read(BigInt(DATA), 1);
    expect(kept).toEqual([]);
    cpu.memory.write(BigInt(DATA), 1, 8n);
    cpu.memory.write(BigInt(DATA), 1, 9n);
    expect(kept).toEqual([7]);
    expect((cpu.ram.flags[page] ?? 0) & (PAGE_FLAG.dirty | PAGE_FLAG.protected)).toBe(PAGE_FLAG.dirty);
  });

  it("an address outside RAM goes to the device, in accesses of at most four bytes", () => {
    const log: string[] = [];
    const bus = {
      readMmio: (address: number, size: number) => {
        log.push(`read ${address.toString(16)}.${size}`);
        return address & 0xff;
      },
      writeMmio: (address: number, size: number, value: number) => {
        log.push(`write ${address.toString(16)}.${size} ${value.toString(16)}`);
      },
    };
    const cpu = interpreterMachine(undefined, undefined, bus);
    expect(cpu.memory.read(0xa_0010n, 8)).toBe(0x14_0000_0010n);
    cpu.memory.write(0xa_0020n, 2, 0xbeefn);
    expect(log).toEqual(["read a0010.4", "read a0014.4", "write a0020.2 beef"]);
  });
});
