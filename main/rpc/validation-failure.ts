// What a schema found wrong with the arguments of a command, in the same shape as every other failure.
import type { Failure } from "../contract/schemas.ts";

export interface ValidationIssue {
  readonly message?: string | undefined;
  readonly path?: readonly unknown[] | undefined;
  /** Of zod's `unrecognized_keys`. */
  readonly keys?: readonly string[] | undefined;
}

/** Only the first issue: a form checks its fields itself, a script mends one thing after the other. */
export function validationFailure(issues: readonly ValidationIssue[]): Failure {
  const issue = issues[0];
  const path = [...(issue?.path ?? []), ...(issue?.keys?.slice(0, 1) ?? [])].map((part) =>
    String(typeof part === "object" && part !== null && "key" in part ? part.key : part),
  );
  const isConfig = path[0] === "config";
  const field = (isConfig ? path.slice(1) : path).join(".");
  const problem = issue?.message ?? "The arguments are not valid";
  return {
    code: isConfig ? "INVALID_CONFIG" : "INVALID_ARGUMENT",
    message: field === "" ? problem : `${field}: ${problem}`,
    ...(field !== "" && { field }),
    consequence: "Nothing was changed.",
    remedy: "Correct the named value.",
  };
}
