// Failures of the host's file system as the user reads them.
import { AppError, type AppErrorDetails, type ErrorCode } from "../common/errors.ts";

const CODES: Readonly<Record<string, readonly [ErrorCode, string, string?]>> = {
  ENOENT: ["NOT_FOUND", "doesn't exist"],
  ENOTDIR: ["NOT_FOUND", "lies below something that is no folder"],
  EEXIST: ["ALREADY_EXISTS", "exists already"],
  ENOTEMPTY: ["ALREADY_EXISTS", "exists already"],
  EACCES: ["PERMISSION_DENIED", "may not be opened", "Check the rights of the file and its folder."],
  EPERM: ["PERMISSION_DENIED", "may not be opened", "Check the rights of the file and its folder."],
  EROFS: ["PERMISSION_DENIED", "is on a read-only file system"],
  EISDIR: ["INVALID_FILE", "is a folder"],
  ENOSPC: ["NO_SPACE", "could not be written: the disk is full", "Free some space and try again."],
  EDQUOT: ["NO_SPACE", "could not be written: your quota is used up", "Free some space and try again."],
  EIO: ["IO_ERROR", "failed: the disk reports an error", "Save what is on that disk elsewhere, and check it."],
  EFBIG: ["NO_SPACE", "has reached the largest size its file system allows"],
  EMFILE: ["IO_ERROR", "could not be opened: too many open files"],
};

/** The AppError for a Node file system error about `file`; anything unknown is an IO_ERROR with the system's words. */
export function fileError(error: unknown, file: string, details: AppErrorDetails = {}): AppError {
  if (error instanceof AppError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const [appCode, problem, remedy] = CODES[code] ?? [
    "IO_ERROR",
    `failed: ${describe(error)}`,
    "Check the disk and try again.",
  ];
  return new AppError(
    appCode,
    `${file} ${problem}`,
    { file, ...(remedy ? { remedy } : {}), ...details },
    { cause: error },
  );
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
