// x87 control words, environment and state images: FNINIT, FLDCW, FNSTENV, FNSAVE and their opposites, FXSAVE and FXRSTOR (SDM 1 8.1.10, 10.5.1).
//
// Instruction and data pointers are not tracked: they are saved as they were loaded (zero after FNINIT). FDP and FIP matter only to an
// exception handler that wants to show the faulting instruction.
import { CR0, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper, NUMERIC_ERROR } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import {
  fromTenBytes,
  IMAGE_OFFSET,
  LEGACY_IMAGE_SIZE,
  mxcsrOf,
  restoreVectors,
  restoreX87,
  saveMxcsr,
  saveVectors,
  saveX87,
  tenBytes,
} from "./state-image.ts";
import { X87 } from "./x87-state.ts";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

const initialize: Helper = ({ state }) => {
  new X87(state).initialize();
  return 0n;
};

/** FNCLEX: exception flags, SF, ES and B; the rest of the status stays. */
const clearExceptions: Helper = ({ state }) => {
  const x87 = new X87(state);
  x87.status &= 0x7f00;
  return 0n;
};

const loadControl: Helper = ({ state }, value = 0n) => {
  new X87(state).control = Number(value & 0xffffn);
  return 0n;
};

// --- FNSTENV, FLDENV, FNSAVE, FRSTOR -------------------------------------------------------------------------------------

/** Bytes of an environment: seven fields of `size` bytes. */
const environmentBytes = (size: number): number => size * 7;

/** Control, status, tag, FIP, CS and opcode, FDP, DS; words of a 32-bit image have ones above. */
function readEnvironment(state: CpuState, size: number): Uint8Array {
  const x87 = new X87(state);
  const image = new Uint8Array(environmentBytes(size));
  const view = new DataView(image.buffer);
  const ip = Number(state.get(STATE.x87Ip) & 0xffff_ffffn);
  const dp = Number(state.get(STATE.x87Dp) & 0xffff_ffffn);
  const opcode = state.getNumber(STATE.x87Opcode) & 0x7ff;
  if (size === 2) {
    [x87.control, x87.status, x87.fullTag, ip, 0, dp, 0].forEach((word, n) => {
      view.setUint16(n * 2, word & 0xffff, true);
    });
  } else {
    const ones = 0xffff_0000;
    [x87.control | ones, x87.status | ones, x87.fullTag | ones, ip, opcode << 16, dp, ones].forEach((word, n) => {
      view.setUint32(n * 4, word, true);
    });
  }
  return image;
}

function writeEnvironment(state: CpuState, image: Uint8Array, size: number): void {
  const view = new DataView(image.buffer, image.byteOffset);
  const x87 = new X87(state);
  x87.control = view.getUint16(0, true);
  x87.status = view.getUint16(size, true);
  const tag = view.getUint16(size * 2, true);
  // Only "empty" is kept of each two bits.
  let kept = 0;
  for (let n = 0; n < 8; n++) if (((tag >> (2 * n)) & 3) === 3) kept |= 3 << (2 * n);
  x87.tag = kept;
  state.set(STATE.x87Ip, BigInt(size === 2 ? view.getUint16(6, true) : view.getUint32(12, true)));
  state.set(STATE.x87Dp, BigInt(size === 2 ? view.getUint16(10, true) : view.getUint32(20, true)));
  if (size === 4) state.setNumber(STATE.x87Opcode, view.getUint16(18, true) & 0x7ff);
}

const storeEnvironment: Helper = ({ state, memory }, address = 0n, size = 4n) => {
  memory.writeBytes(u64(address), readEnvironment(state, Number(size)));
  new X87(state).control |= 0x3f; // all exceptions masked
  return 0n;
};

const loadEnvironment: Helper = ({ state, memory }, address = 0n, size = 4n) => {
  const image = new Uint8Array(environmentBytes(Number(size)));
  memory.readBytes(u64(address), image);
  writeEnvironment(state, image, Number(size));
  return 0n;
};

const save: Helper = ({ state, memory }, address = 0n, size = 4n) => {
  const environment = readEnvironment(state, Number(size));
  const image = new Uint8Array(environment.length + 80);
  image.set(environment);
  const x87 = new X87(state);
  for (let n = 0; n < 8; n++) image.set(tenBytes(x87.read(n)), environment.length + n * 10);
  memory.writeBytes(u64(address), image);
  x87.initialize();
  return 0n;
};

const restore: Helper = ({ state, memory }, address = 0n, size = 4n) => {
  const length = environmentBytes(Number(size));
  const image = new Uint8Array(length + 80);
  memory.readBytes(u64(address), image);
  writeEnvironment(state, image, Number(size));
  const x87 = new X87(state);
  for (let n = 0; n < 8; n++) x87.writePhysical((x87.top + n) & 7, fromTenBytes(image, length + n * 10));
  return 0n;
};

// --- FXSAVE, FXRSTOR -----------------------------------------------------------------------------------------------------

/** The rest of the image stays as it is. */
const fxsave: Helper = ({ state, memory }, address = 0n, wide = 0n, vectors = 16n) => {
  const image = new Uint8Array(IMAGE_OFFSET.vectors + Number(vectors) * 16);
  saveX87(state, image, wide !== 0n);
  saveMxcsr(state, image);
  saveVectors(state, image, IMAGE_OFFSET.vectors, Number(vectors));
  memory.writeBytes(u64(address), image);
  return 0n;
};

const fxrstor: Helper = ({ state, memory }: CpuContext, address = 0n, wide = 0n, vectors = 16n) => {
  const image = new Uint8Array(LEGACY_IMAGE_SIZE);
  memory.readBytes(u64(address), image);
  const mxcsr = mxcsrOf(image);
  if (mxcsr === undefined) throw new CpuException(VECTOR.GP, 0);
  restoreX87(state, image, wide !== 0n);
  state.setNumber(STATE.mxcsr, mxcsr);
  restoreVectors(state, image, IMAGE_OFFSET.vectors, Number(vectors));
  return 0n;
};

/** An unmasked exception is pending: #MF, or as it was on the 8086, an interrupt from outside that may be answered with IGNNE#. */
const numericError: Helper = ({ state }) => {
  if (state.getNumber(STATE.cr0) & CR0.NE) throw new CpuException(VECTOR.MF);
  if (state.getNumber(STATE.numericErrorsIgnored) === 0) throw new CpuException(NUMERIC_ERROR);
  return 0n;
};

export const X87_CONTROL_HELPERS: Record<string, Helper> = {
  numericError,
  x87_initialize: initialize,
  x87_clear_exceptions: clearExceptions,
  x87_load_control: loadControl,
  x87_store_environment: storeEnvironment,
  x87_load_environment: loadEnvironment,
  x87_save: save,
  x87_restore: restore,
  fxsave,
  fxrstor,
};
