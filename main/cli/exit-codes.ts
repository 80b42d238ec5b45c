// Exit codes, part of the command line's interface: they don't change. `terrarium --help` prints them.
import type { ErrorCode } from "../../native-core/common/errors.ts";

export const EXIT_OK = 0;
/** Wrong use of the command line itself. */
export const EXIT_USAGE = 2;

export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  IO_ERROR: 1,
  INVALID_ARGUMENT: 2,
  NOT_FOUND: 3,
  ALREADY_EXISTS: 4,
  INVALID_STATE: 5,
  IN_USE: 5,
  INVALID_CONFIG: 6,
  INVALID_FILE: 6,
  NO_SPACE: 7,
  TIMEOUT: 8,
  CANCELLED: 9,
  PERMISSION_DENIED: 10,
  VERSION_MISMATCH: 11,
  HOST_RUNNING: 12,
  PORT_TAKEN: 13,
  ENGINE_FAILED: 14,
  UNSUPPORTED: 15,
  CORRUPT_STORE: 16,
  UNREACHABLE: 17,
};

export const EXIT_CODES_HELP = `
Exit codes: 0 done, 1 input/output error, 2 wrong use, 3 not found, 4 exists already, 5 not possible in this state,
6 invalid file or setting, 7 disk full, 8 timeout, 9 cancelled, 10 no permission, 11 versions differ, 12 another host
runs on the data folder, 13 port taken, 14 engine failed, 15 not supported, 16 damaged data,
17 network not reachable. Failures are explained on
stderr: cause, consequence, remedy; as one JSON object with --json.`;
