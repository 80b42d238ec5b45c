// Turns the operating system's file errors into expected failures that name the file and what to do.
import { AppError, type AppErrorDetails, type ErrorCode, isAppError } from "../../native-core/common/errors.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly cause: string;
  readonly remedy: string;
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOSPC: { code: "NO_SPACE", cause: "The disk is full", remedy: "Free some space on that disk and try again." },
  EDQUOT: { code: "NO_SPACE", cause: "The disk quota is used up", remedy: "Free some space and try again." },
  EFBIG: { code: "NO_SPACE", cause: "The file would be too large", remedy: "Use a disk that allows larger files." },
  EROFS: { code: "PERMISSION_DENIED", cause: "The disk is read-only", remedy: "Choose a folder on a writable disk." },
  EACCES: { code: "PERMISSION_DENIED", cause: "Access was denied", remedy: "Change the permissions of the file." },
  EPERM: { code: "PERMISSION_DENIED", cause: "The operation is not permitted", remedy: "Change the permissions." },
  ENOENT: { code: "NOT_FOUND", cause: "There is no such file", remedy: "Check the path." },
  ENOTDIR: { code: "NOT_FOUND", cause: "There is no such folder", remedy: "Check the path." },
  EISDIR: { code: "INVALID_FILE", cause: "It is a folder, not a file", remedy: "Choose a file." },
  EEXIST: { code: "ALREADY_EXISTS", cause: "It exists already", remedy: "Choose another name." },
};

export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The file that the system's error is about, where it says so; of a copy that the disk has no room for, the new one. */
export function fileOfError(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = systemErrorCode(error);
  const isAboutTarget = code === "ENOSPC" || code === "EDQUOT" || code === "EROFS" || code === "EFBIG";
  if (isAboutTarget && "dest" in error && typeof error.dest === "string") return error.dest;
  return "path" in error && typeof error.path === "string" ? error.path : null;
}

/** The failure that `error` means for `file`; an AppError passes through, a programmer error stays what it is. */
export function ioFailure(error: unknown, file: string, details: AppErrorDetails = {}): unknown {
  if (isAppError(error)) return error;
  const code = systemErrorCode(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const known = EXPLANATIONS[code];
  const cause = known?.cause ?? `The file system reported ${code}`;
  const remedy = known?.remedy ?? "Check the disk and try again.";
  return new AppError(known?.code ?? "IO_ERROR", `${cause}: ${file}`, { file, remedy, ...details }, { cause: error });
}

/** Runs `act` and rethrows its file errors as failures about `file`. */
export async function withIoFailures<T>(file: string, details: AppErrorDetails, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw ioFailure(error, file, details);
  }
}
