// What a region's function returns: an outcome of the interpreter's in the low bits, a link slot above them.
import { OUTCOME as INTERPRETER_OUTCOME } from "../interpreter/outcome.ts";

/**
 * `jump`: an indirect jump that `follow` may take; the dispatcher never sees it. `elsewhere`: as indirect, but with another privilege than
 * the regions that wait have, so that none of them goes on there; in place of `repeat`, which regions see to themselves.
 */
export const OUTCOME = { ...INTERPRETER_OUTCOME, jump: 0, elsewhere: 6 } as const;

/** No RIP that a region could wait for: not canonical. */
export const NO_RETURN = 1n << 62n;

/** XORed to the RIP that user code behind SYSCALL waits for: SYSRET and IRET look for that, no RET ever finds it. */
export const SYSTEM_CALLER = 1n << 61n;

export const OUTCOME_BITS = 3;

/** Outcomes with none of these bits are for `follow`: linked and jump. */
export const NOT_TO_FOLLOW = 5;
