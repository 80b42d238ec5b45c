// Lets react-hook-form validate with the very schema that the host validates with.
import type { FieldErrors, FieldValues, Resolver } from "react-hook-form";
import type { z } from "zod";

/** Sets `errors.a.b.0 = error` for the path [a, b, 0]; the first message of a field wins. */
function place(errors: Record<string, unknown>, path: readonly PropertyKey[], message: string): void {
  let node = errors;
  for (const [index, segment] of path.entries()) {
    const key = String(segment);
    if (index === path.length - 1) node[key] ??= { type: "validate", message };
    else {
      node[key] ??= {};
      node = node[key] as Record<string, unknown>;
    }
  }
}

export function zodResolver<T extends FieldValues>(schema: z.ZodType<T>): Resolver<T> {
  return (values) => {
    const result = schema.safeParse(values);
    if (result.success) return { values: result.data, errors: {} };
    const errors: Record<string, unknown> = {};
    for (const issue of result.error.issues) place(errors, issue.path, issue.message);
    return { values: {}, errors: errors as FieldErrors<T> };
  };
}
