// What a new system is told instead of asking for it: the answers for an unattended installation or a first start.

import { z } from "zod";

/** IANA names, as this host knows them. */
function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

export const unattendedSchema = z.strictObject({
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, "small letters, digits, dashes and underscores, starting with a letter")
    .refine((user) => user !== "root", "another name than root"),
  /** For people; the user's name where it is left out. */
  fullName: z
    .string()
    .max(64, "at most 64 characters")
    .regex(/^[^\p{Cc}:]*$/u, "no colons or control characters")
    .default(""),
  password: z
    .string()
    .min(1, "a password is needed")
    .max(128, "at most 128 characters")
    .regex(/^[^\p{Cc}]*$/u, "no control characters"),
  hostName: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i, "letters, digits and dashes, not at the ends, at most 63"),
  /** As Linux writes it, without the encoding: `de_DE`. */
  locale: z.string().regex(/^[a-z]{2,3}_[A-Z]{2}$/, "such as en_US"),
  timeZone: z.string().refine(isTimeZone, "a time zone such as Europe/Berlin"),
  /** Layout of the keyboard, as X calls it: `us`, `de`. */
  keyboard: z
    .string()
    .regex(/^[a-z]{2,3}$/, "two or three small letters, such as us")
    .default("us"),
  /** Where Debian's installer gets packages from, such as `http://mirror.example.org/debian`; its own default where it is left out. */
  mirror: z
    .string()
    .regex(/^http:\/\/[\w.:-]+(\/[\w./-]*)?$/, "an address such as http://mirror.example.org/debian")
    .optional(),
});
export type UnattendedAnswers = z.infer<typeof unattendedSchema>;
