// Expected failures travel as the contract's typed error FAILURE; anything else is a defect and is logged in full here, where the
// client only hears that there was one.

import { ValidationError } from "@orpc/contract";
import { ORPCError, os } from "@orpc/server";
import { failureOf } from "../services/failures.ts";
import { log } from "../services/log.ts";

export const reportFailures = os.errors({}).middleware(async ({ next, path }) => {
  try {
    return await next();
  } catch (error) {
    throw asFailure(error, path);
  }
});

export function asFailure(error: unknown, path: readonly string[]): unknown {
  if (error instanceof ORPCError) return validationFailure(error) ?? error;
  const failure = failureOf(error);
  if (failure.message.startsWith("Internal error"))
    log.error({ err: error, command: path.join(".") }, "command failed");
  return new ORPCError("FAILURE", { defined: true, status: 422, message: failure.message, data: failure });
}

/** What zod found wrong with the arguments, in the same shape as every other failure. */
function validationFailure(error: ORPCError<string, unknown>): ORPCError<string, unknown> | null {
  if (!(error.cause instanceof ValidationError) || error.code !== "BAD_REQUEST") return null;
  const issue = error.cause.issues[0];
  const field = issue?.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".") ?? "";
  const data = {
    code: "INVALID_ARGUMENT",
    message: field ? `${field}: ${issue?.message}` : (issue?.message ?? "The arguments are not valid"),
    ...(field && { field }),
    consequence: "Nothing was changed.",
    remedy: "Correct the named value.",
  };
  return new ORPCError("FAILURE", { defined: true, status: 422, message: data.message, data });
}
