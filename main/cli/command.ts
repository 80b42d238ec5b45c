// How a command file looks: it adds itself to the program and gets a session when it runs.
import type { Command } from "commander";
import type { Session } from "./session.ts";

/** Wraps an action: gives it the session first, then commander's own arguments. */
export type Run = <A extends unknown[]>(
  action: (session: Session, ...args: A) => Promise<void>,
) => (...args: A) => Promise<void>;

export type RegisterCommand = (program: Command, run: Run) => void;
