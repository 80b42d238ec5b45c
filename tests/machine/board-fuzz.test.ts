// A guest may write anything anywhere. Whatever it writes, the board neither throws nor loops, and what it saves passes its own checks.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAppError } from "../../native-core/common/errors.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { setUpBoard } from "../../native-core/firmware/board-setup.ts";
import { createMachine, type Machine } from "../../native-core/machine/machine.ts";
import { fakeProcessor } from "../support/fake-processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";

/** Registers worth hitting: every port of the board, the interrupt controllers' windows and where firmware put the BARs. */
const PORTS = [
  ...[
    0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60, 0x64, 0x92, 0xcf8, 0xcf9,
    0xcfc,
  ],
  ...[0xcfd, 0xcfe, 0x600, 0x602, 0x604, 0x608, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x2f8, 0x2fc],
  ...[0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3c8, 0x3c9, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da, 0x1ce, 0x1cf, 0xffff],
  ...[0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6, 0x170, 0x172, 0x174, 0x175, 0x176, 0x177, 0x376],
  ...[0xc000, 0xc002, 0xc004, 0xc008, 0xc00a, 0xc00c, 0x510, 0x511, 0x514, 0x518],
];
const WINDOWS = [
  0xa0000, 0xb8000, 0xfec00000, 0xfee00000, 0xc0000000, 0xc1000000, 0xc1001000, 0xc1004000, 0xc1008000, 0xc1010000,
  0xc1014000, 0xc1018000, 0xc101c000, 0xfffe0000, 0xffff0000,
];

const TIMEOUT_MS = 120_000;

const size = fc.constantFrom(1 as const, 2 as const, 4 as const);
/** Whole range, and the small numbers that registers understand. */
const value = fc.oneof(fc.nat(0xffffffff), fc.nat(0xff), fc.constantFrom(0, 0xffffffff, 0x80000000));
const operation = fc.oneof(
  fc.record({ kind: fc.constant("in" as const), port: fc.oneof(fc.constantFrom(...PORTS), fc.nat(0xffff)), size }),
  fc.record({
    kind: fc.constant("out" as const),
    port: fc.oneof(fc.constantFrom(...PORTS), fc.nat(0xffff)),
    size,
    value,
  }),
  fc.record({
    kind: fc.constant("config" as const),
    slot: fc.oneof(fc.nat(12), fc.constantFrom(24, 26, 27, 29)),
    register: fc.nat(0xff),
    size,
    value,
  }),
  fc.record({ kind: fc.constant("read" as const), window: fc.constantFrom(...WINDOWS), offset: fc.nat(0xfff), size }),
  fc.record({
    kind: fc.constant("write" as const),
    window: fc.constantFrom(...WINDOWS),
    offset: fc.nat(0xfff),
    size,
    value,
  }),
  fc.record({ kind: fc.constant("key" as const), key: fc.nat(0x1ff), down: fc.boolean() }),
  fc.record({ kind: fc.constant("run" as const), ns: fc.bigInt(1n, 50_000n) }),
);
const replacement = fc.oneof(
  fc.constantFrom(0, 1, 3, 7, 255, 65535, 0xffffffff, -1, 1.5, NaN, 1e300),
  fc.constantFrom(0n, 1n, -1n, 1n << 62n, 1n << 63n, (1n << 64n) - 1n, -(1n << 62n)),
  fc.nat(0xffffffff),
  fc.boolean(),
  fc.constantFrom(null, undefined, "", "__proto__", [], {}),
  fc.uint8Array({ maxLength: 32 }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function build(): Machine {
  const sink = { write: () => {} };
  const machine = createMachine({
    memoryBytes: 64 << 20,
    createProcessor: fakeProcessor,
    firmware: {
      start: (target) => void setUpBoard(target),
      rom: new Uint8Array(0x10000),
      fwCfg: { items: new Map(), files: new Map([["etc/file", new Uint8Array(100)]]) },
    },
    sata: [{ id: "disk2", backend: memoryDisk(1 << 20) }],
    flash: { bytes: new Uint8Array(0x10000), changed: () => {} },
    ide: [
      { id: "disk1", position: 0, disk: memoryDisk(1 << 20) },
      { id: "cd0", position: 2, cdRom: new ScsiCdRom(memoryDisk(1 << 16)) },
    ],
    serial: [sink, sink],
    video: { adapter: "virtio" },
    sound: { adapter: "hda", sink: { play: () => {} } },
    usb: { disks: [{ id: "stick0", backend: memoryDisk(1 << 16) }] },
    virtioKeyboard: true,
    disks: [{ id: "disk0", backend: memoryDisk(1 << 20) }],
    scsi: {
      disks: [{ id: "disk3", backend: memoryDisk(1 << 20) }],
      drives: [{ id: "cd1", number: 1, cdRom: new ScsiCdRom(memoryDisk(1 << 16)) }],
    },
  });
  machine.powerOn();
  machine.resume();
  return machine;
}

function apply(machine: Machine, op: Operation): void {
  const { bus } = machine;
  switch (op.kind) {
    case "in":
      expect(bus.readPort(op.port, op.size)).toBeGreaterThanOrEqual(0);
      break;
    case "out":
      bus.writePort(op.port, op.size, op.value);
      break;
    case "config":
      bus.writePort(0xcf8, 4, (0x80000000 | (op.slot << 11) | (op.register & 0xfc)) >>> 0);
      bus.writePort(0xcfc + (op.register & 3 & ~(op.size - 1)), op.size, op.value);
      break;
    case "read":
      expect(bus.readMmio(op.window + (op.offset & ~(op.size - 1)), op.size)).toBeGreaterThanOrEqual(0);
      break;
    case "write":
      bus.writeMmio(op.window + (op.offset & ~(op.size - 1)), op.size, op.value);
      break;
    case "key":
      machine.post({ kind: "key", key: op.key, down: op.down });
      break;
    case "run":
      if (machine.runSlice(op.ns).state === "reset") machine.reset();
      break;
  }
}

describe("The board under a hostile guest", () => {
  it(
    "never throws, and saves only states that restore",
    () => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 50, maxLength: 300 }), (operations) => {
          const machine = build();
          const copy = build();
          for (const op of operations) apply(machine, op);
          machine.inputs.drain();
          const saved = machine.save();
          copy.restore(structuredClone(saved));
          expect(copy.save()).toEqual(saved);
        }),
        { numRuns: 50 },
      );
    },
    TIMEOUT_MS,
  );

  it(
    "takes a damaged saved state or refuses it with a clear error, and works afterwards",
    () => {
      const pristine = build().save();
      const damage = fc.record({ path: fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }), replacement });
      fc.assert(
        fc.property(
          fc.array(damage, { minLength: 1, maxLength: 4 }),
          fc.array(operation, { maxLength: 60 }),
          (wounds, operations) => {
            const machine = build();
            const state = structuredClone(pristine);
            for (const { path, replacement } of wounds) wound(state, path, replacement);
            try {
              machine.restore(state);
            } catch (error) {
              if (!isAppError(error)) throw error;
              expect(error.details.field).toBeTruthy();
            }
            machine.resume();
            for (const op of operations) apply(machine, op);
            machine.save();
          },
        ),
        { numRuns: 150 },
      );
    },
    TIMEOUT_MS,
  );
});

/** Replaces one leaf; `path` chooses a branch at each level. Bytes are changed in place, cut or replaced. */
function wound(state: object, path: readonly number[], replacement: unknown): void {
  let parent = state as Record<string, unknown>;
  for (const choice of path) {
    const keys = Object.keys(parent);
    const key = keys[choice % keys.length];
    if (key === undefined) return;
    const child = parent[key];
    if (typeof child === "object" && child !== null && !(child instanceof Uint8Array)) {
      parent = child as Record<string, unknown>;
      continue;
    }
    if (child instanceof Uint8Array && typeof replacement === "number" && child.length > 0) {
      child[choice % child.length] = replacement;
    } else {
      parent[key] = replacement;
    }
    return;
  }
}
