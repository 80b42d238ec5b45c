// Expected failures travel as the contract's typed error FAILURE; anything else is a defect and is logged in full here, where the
// client only hears that there was one.

import { ValidationError } from "@orpc/contract";
import { ORPCError, os } from "@orpc/server";
import { failureOf } from "../services/failures.ts";
import { log } from "../services/log.ts";
import { validationFailure } from "./validation-failure.ts";

export const reportFailures = os.errors({}).middleware(async ({ next, path }) => {
  try {
    return await next();
  } catch (error) {
    throw asFailure(error, path);
  }
});

function asFailure(error: unknown, path: readonly string[]): unknown {
  if (error instanceof ORPCError) return invalidArguments(error) ?? error;
  const failure = failureOf(error);
  if (failure.message.startsWith("Internal error"))
    log.error({ err: error, command: path.join(".") }, "command failed");
  return new ORPCError("FAILURE", { defined: true, status: 422, message: failure.message, data: failure });
}

function invalidArguments(error: ORPCError<string, unknown>): ORPCError<string, unknown> | null {
  if (!(error.cause instanceof ValidationError) || error.code !== "BAD_REQUEST") return null;
  const data = validationFailure(error.cause.issues);
  return new ORPCError("FAILURE", { defined: true, status: 422, message: data.message, data });
}
