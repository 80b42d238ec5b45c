// Answers for an unattended installation from the options of `create`. The password comes from a file or standard input: what is on a
// command line can be read by everybody on the computer.
import { readFileSync } from "node:fs";
import path from "node:path";
import { AppError } from "../../native-core/common/errors.ts";
import { type UnattendedAnswers, unattendedSchema } from "../contract/unattended.ts";
import { ioFailure } from "../store/io-error.ts";

interface AnswerOptions {
  readonly user?: string;
  readonly passwordFile?: string;
  readonly fullName?: string;
  readonly hostName?: string;
  readonly locale?: string;
  readonly timeZone?: string;
  readonly keyboard?: string;
  readonly mirror?: string;
}

const STDIN = 0;

/** Null: no user was named, so nothing is answered. @throws AppError INVALID_ARGUMENT */
export async function answersOf(machineName: string, options: AnswerOptions): Promise<UnattendedAnswers | null> {
  const { user, passwordFile, fullName, keyboard, mirror } = options;
  if (user === undefined) return null;
  if (passwordFile === undefined) {
    throw new AppError("INVALID_ARGUMENT", "--user needs a password", {
      field: "passwordFile",
      consequence: "Nothing was made.",
      remedy: "Give --password-file FILE, or --password-file - and the password on standard input.",
    });
  }
  const here = Intl.DateTimeFormat().resolvedOptions();
  const parsed = unattendedSchema.safeParse({
    user,
    password: firstLine(passwordFile),
    hostName: options.hostName ?? hostNameFor(machineName),
    locale: options.locale ?? localeFor(here.locale),
    timeZone: options.timeZone ?? here.timeZone,
    ...(fullName !== undefined && { fullName }),
    ...(keyboard !== undefined && { keyboard }),
    ...(mirror !== undefined && { mirror }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = String(issue?.path[0] ?? "user");
  throw new AppError("INVALID_ARGUMENT", `${field}: ${issue?.message}`, {
    ...{ field, consequence: "Nothing was made.", remedy: "Correct the named option." },
  });
}

function firstLine(file: string): string {
  try {
    return readFileSync(file === "-" ? STDIN : path.resolve(file), "utf8").split(/\r?\n/)[0] ?? "";
  } catch (error) {
    throw ioFailure(error, file, { field: "passwordFile", consequence: "Nothing was made." });
  }
}

function hostNameFor(machineName: string): string {
  const letters = machineName.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return (
    letters
      .replaceAll(/^-+|-+$/g, "")
      .slice(0, 63)
      .replace(/-+$/, "") || "terrarium"
  );
}

/** `de-DE` as `de_DE`; a language without a country is taken for English. */
function localeFor(tag: string): string {
  const { language, region } = new Intl.Locale(tag);
  return language && region ? `${language}_${region}` : "en_US";
}
