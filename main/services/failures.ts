// Errors as data for clients. What is not an expected failure is a defect: it is reported as such, without its inner text.
import { AppError, isAppError } from "../../native-core/common/errors.ts";
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

export function cancelled(what: string): AppError {
  return new AppError("CANCELLED", `${what} was cancelled`, { consequence: "Nothing was changed." });
}
