// The readers of SingleStepTests' files, on small files made here in their formats, and what runs their cases.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { isStepFile, opcodeOf, readStepFile } from "../../scripts/conformance/single-step/step-file.ts";
import { reasonToSkip, StepRunner } from "../../scripts/conformance/single-step/step-runner.ts";
import type { StepTest } from "../../scripts/conformance/single-step/step-test.ts";

const folder = mkdtempSync(join(tmpdir(), "terrarium-single-step-"));
afterAll(() => rmSync(folder, { recursive: true }));

const runner = new StepRunner();

const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
const chunk = (tag: string, ...parts: Uint8Array[]): Buffer => {
  const contents = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(tag), u32(contents.length), contents]);
};
const counted = (bytes: Uint8Array): Buffer => Buffer.concat([u32(bytes.length), bytes]);
const ram = (entries: readonly (readonly [number, number])[]): Buffer =>
  chunk(
    "RAM ",
    u32(entries.length),
    ...entries.map(([address, byte]) => Buffer.concat([u32(address), Uint8Array.of(byte)])),
  );

/** A register file of 32 bits: cr0 to dr7 in the format's order. */
function wide(tag: "RG32" | "RM32", registers: Readonly<Record<number, number>>): Buffer {
  const numbers = Object.keys(registers).map(Number);
  const mask = numbers.reduce((bits, n) => bits | (1 << n), 0) >>> 0;
  return chunk(tag, u32(mask, ...numbers.map((n) => registers[n] ?? 0)));
}
const EAX = 2;
const EBX = 3;
const CS = 10;
const EIP = 16;
const EFLAGS = 17;

function write(name: string, contents: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

const header = (cpu: string): Buffer =>
  chunk("MOO ", Uint8Array.of(1, 1, 0, 0), u32(1), Buffer.from(cpu.padEnd(4)), u32(0));

const CODE = [0x66, 0x01, 0xd8, 0xf4]; // add eax, ebx; hlt
const CODE_AT = 0x2000;

/** ADD EAX, EBX on a 386, whose flags after it are `flags` in the file. */
function file386(flags: number, ...masks: Uint8Array[]): Buffer {
  const code = CODE.map((byte, n) => [CODE_AT + n, byte] as const);
  const initial = { [EAX]: 0xffff_ffff, [EBX]: 1, [CS]: 0xabcd_0100, [EIP]: 0x1000, [EFLAGS]: 0xffff_0002 };
  return Buffer.concat([
    header("386E"),
    chunk("META", u32(0, 0, 0, 0)),
    chunk(
      "TEST",
      u32(0),
      chunk("NAME", counted(Buffer.from("add eax,ebx"))),
      chunk("BYTS", counted(Uint8Array.from(CODE))),
      chunk("INIT", wide("RG32", initial), ram(code)),
      chunk("FINA", wide("RG32", { [EAX]: 0, [EIP]: 0x1004, [EFLAGS]: flags }), ...masks, ram([])),
      chunk("HASH", new Uint8Array(20)),
    ),
  ]);
}

const CARRY_OUT = 0xffff_0057; // CF PF AF ZF
const only = (path: string): StepTest => readStepFile(path).tests[0] as StepTest;

describe("MOO files", () => {
  it("of an 80386 have registers of 32 bits", () => {
    const path = write("6601.MOO", file386(CARRY_OUT));
    const { processor, tests } = readStepFile(path);
    expect([processor, tests.length]).toEqual(["80386", 1]);
    expect(tests[0]?.initial.registers.get("cs")).toBe(0x100);
    expect(runner.run("80386", only(path))).toEqual({ differences: [] });
  });

  it("that are wrong are noticed", () => {
    const path = write("wrong.MOO.gz", gzipSync(file386(0xffff_0056)));
    expect(runner.run("80386", only(path))).toEqual({ differences: ["flags 54 is 55"] });
  });

  it("may leave bits of registers undefined", () => {
    const path = write("masked.MOO", file386(0xffff_0056, wide("RM32", { [EFLAGS]: 0xffff_fffe })));
    expect(runner.run("80386", only(path))).toEqual({ differences: [] });
  });

  it("of an 8088 have registers of 16 bits and no HLT", () => {
    // AX, CS and IP: bits 0, 4 and 12.
    const initial = chunk("REGS", ...[(1 << 0) | (1 << 4) | (1 << 12), 0xffff, 0x100, 0x1000].map(u16));
    const test = chunk(
      "TEST",
      u32(0),
      chunk("BYTS", counted(Uint8Array.of(0x40))), // inc ax
      chunk("INIT", initial, ram([[CODE_AT, 0x40]])),
      chunk("FINA", chunk("REGS", ...[(1 << 0) | (1 << 12) | (1 << 13), 0, 0x1001, 0x56].map(u16)), ram([])),
    );
    const path = write("40.MOO", Buffer.concat([header("8088"), test]));
    expect(readStepFile(path).processor).toBe("8086");
    expect(runner.run("8086", only(path))).toEqual({ differences: [] });
  });

  it("of other processors are refused", () => {
    expect(() => readStepFile(write("v20.MOO", header("V20")))).toThrow(/not known/);
  });
});

describe("JSON files", () => {
  const test = (ax: string, ip: string, end: number) => ({
    name: "inc ax",
    bytes: [0x40],
    initial: {
      regs: { [ax]: 1, cs: 0x100, es: 7, [ip]: 0x1000, [ip === "ip" ? "flags" : "eflags"]: 2 },
      ram: [
        [CODE_AT, 0x40],
        [CODE_AT + 1, 0xf4],
      ],
      queue: [],
    },
    final: { regs: { [ax]: 2, [ip]: end, [ip === "ip" ? "flags" : "eflags"]: 2 }, ram: [], queue: [] },
    cycles: [],
  });

  it("are an 8088's unless metadata or registers say otherwise", () => {
    const path = write("40.json.gz", gzipSync(JSON.stringify([test("ax", "ip", 0x1001)])));
    const { processor } = readStepFile(path);
    expect(processor).toBe("8086");
    expect(runner.run(processor, only(path))).toEqual({ differences: [] });
    const wider = write("41.json", JSON.stringify([test("eax", "eip", 0x1002)]));
    expect(readStepFile(wider).processor).toBe("80386");
    expect(only(wider).initial.registers.get("es")).toBe(7);
    expect(runner.run("80386", only(wider))).toEqual({ differences: [] });
  });
});

it("files are told by their names", () => {
  expect(["80.4.MOO.gz", "00.json", "metadata.json", "README.md"].filter(isStepFile)).toEqual([
    "80.4.MOO.gz",
    "00.json",
  ]);
  expect(opcodeOf("80.4.MOO.gz")).toBe("80.4");
  expect(reasonToSkip("8086", "D2.4")).toBe("shift counts are not taken modulo 32");
  expect(reasonToSkip("80386", "D2.4")).toBeUndefined();
});
