// Where a control transfer may go: checks of a code segment and of the offset in it (SDM 3A 5.8.1, 5.8.2).
import { VECTOR } from "../../x86/registers.ts";
import { type CpuContext, CpuException } from "../context.ts";
import {
  ATTRIBUTE,
  type Descriptor,
  isCode,
  isNull,
  isPresent,
  privilegeOf,
  requireDescriptor,
  selectorError,
} from "./descriptor.ts";
import { isCanonical, isLongMode } from "./mode.ts";

/** A present code segment whose L and D bits make sense in the current mode. `privileged` judges DPL. */
export function requireCode(
  cpu: CpuContext,
  selector: number,
  allowed: (dpl: number, conforming: boolean) => boolean,
): Descriptor {
  if (isNull(selector)) throw new CpuException(VECTOR.GP, 0);
  const descriptor = requireDescriptor(cpu, selector);
  const { attributes } = descriptor;
  const error = selectorError(selector);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  if (!isCode(attributes) || !allowed(privilegeOf(attributes), conforming)) throw new CpuException(VECTOR.GP, error);
  if (isLong(cpu, descriptor) && attributes & ATTRIBUTE.BIG) throw new CpuException(VECTOR.GP, error);
  if (!isPresent(attributes)) throw new CpuException(VECTOR.NP, error);
  return descriptor;
}

/** The segment holds 64-bit code. */
export function isLong(cpu: CpuContext, descriptor: Descriptor): boolean {
  return isLongMode(cpu) && (descriptor.attributes & ATTRIBUTE.LONG) !== 0;
}

/** #GP(0) unless `offset` is canonical (64-bit code) or within the limit. */
export function requireOffset(cpu: CpuContext, descriptor: Descriptor, offset: bigint): void {
  const valid = isLong(cpu, descriptor) ? isCanonical(offset) : offset <= BigInt(descriptor.limit);
  if (!valid) throw new CpuException(VECTOR.GP, 0);
}
