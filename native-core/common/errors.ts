// Expected failures: what a user or a script may meet. Programmer errors use assert.ts instead.

/** Closed list of failure codes; the CLI maps them to exit codes and the GUI to remedies. */
export const ERROR_CODES = [
  "INVALID_ARGUMENT",
  "INVALID_CONFIG",
  "INVALID_FILE",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "INVALID_STATE",
  "IN_USE",
  "UNSUPPORTED",
  "NO_SPACE",
  "IO_ERROR",
  "TIMEOUT",
  "CANCELLED",
  "PERMISSION_DENIED",
  "VERSION_MISMATCH",
  "ENGINE_FAILED",
  "CORRUPT_STORE",
  "HOST_RUNNING",
  "PORT_TAKEN",
  "UNREACHABLE",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorDetails {
  /** The file the failure is about, as the user named it. */
  file?: string;
  /** The field of a document or form, as a path such as `memory.sizeMiB`. */
  field?: string;
  /** What happens to the user's work because of the failure. */
  consequence?: string;
  /** What the user can do about it. */
  remedy?: string;
}

/** An expected failure: cause in `message`, consequence and remedy beside it. Serializes over RPC as plain data. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: AppErrorDetails;

  constructor(code: ErrorCode, message: string, details: AppErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

export function isAppError(error: unknown): error is AppError {
  return error instanceof Error && error.name === "AppError" && "code" in error;
}
