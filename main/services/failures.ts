// Errors as data for clients. What is not an expected failure is a defect: it is reported as such, without its inner text.
import { AppError, type AppErrorDetails, isAppError } from "../../native-core/common/errors.ts";
import type { Failure } from "../contract/schemas.ts";
import { fileOfError, ioFailure } from "../store/io-error.ts";

export function failureOf(error: unknown): Failure {
  const known = ioFailure(error, fileOfError(error) ?? "a file of Terrarium");
  if (isAppError(known)) return { code: known.code, message: known.message, ...known.details };
  return {
    code: "IO_ERROR",
    message: error instanceof Error ? `Internal error: ${error.message}` : "Internal error",
    remedy: "This is a defect of Terrarium; please report it with the host's log.",
  };
}

/**
 * A failure of a part that knows the file but not what it was wanted for: `defaults` fill in what it did not say. Its field gives
 * way to that of the request. Other errors pass through.
 */
export function explained(error: unknown, defaults: AppErrorDetails): unknown {
  if (!isAppError(error)) return error;
  // What was cancelled needs no remedy, and the parts know less well what became of the whole.
  if (error.code === "CANCELLED")
    return new AppError(error.code, error.message, consequenceOf(defaults, error.details));
  const { field } = error.details;
  const keepsField = defaults.field === undefined || field?.startsWith(defaults.field) === true;
  const details = { ...defaults, ...error.details, ...(!keepsField && { field: defaults.field }) };
  return new AppError(error.code, error.message, details, { cause: error });
}

function consequenceOf(...details: readonly AppErrorDetails[]): AppErrorDetails {
  const consequence = details.map((each) => each.consequence).find((each) => each !== undefined);
  return consequence === undefined ? {} : { consequence };
}

export function cancelled(what: string): AppError {
  return new AppError("CANCELLED", `${what} was cancelled`, { consequence: "Nothing was changed." });
}
