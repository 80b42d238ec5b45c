// Turns whatever a command may reject with into one shape: the contract's Failure (cause, consequence, remedy, field).
import { ORPCError } from "@orpc/client";
import { type Failure, failureSchema } from "../../main/contract/schemas.ts";
import { translatedFailure } from "../i18n/failure-texts.ts";

interface Issue {
  readonly message?: unknown;
  readonly path?: unknown;
}

/** Validation errors of the contract itself carry zod issues instead of a failure. */
function failureFromIssues(error: ORPCError<string, unknown>): Failure | undefined {
  const issues = (error.data as { issues?: readonly Issue[] } | null)?.issues;
  const issue = Array.isArray(issues) ? (issues[0] as Issue | undefined) : undefined;
  if (!issue) return undefined;
  const path = Array.isArray(issue.path) ? issue.path.map(String).join(".") : "";
  return { code: "INVALID_ARGUMENT", message: String(issue.message ?? error.message), ...(path && { field: path }) };
}

export function toFailure(error: unknown): Failure {
  if (error instanceof ORPCError) {
    const failure = failureSchema.safeParse(error.data);
    if (failure.success) return failure.data;
    const fromIssues = failureFromIssues(error);
    if (fromIssues) return fromIssues;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "IO_ERROR", message };
}

/** Cause and remedy as running text, for a message at a field. */
export function failureSentence(failure: Failure): string {
  const { message, remedy } = translatedFailure(failure);
  return [message, remedy].flatMap((part) => (part ? [/[.!?]$/.test(part) ? part : `${part}.`] : [])).join(" ");
}
