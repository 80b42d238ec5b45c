// The typed client of one VM process: handshake, requests with time limits, events, and an orderly end.

import { Emitter, type Event } from "../../native-core/common/emitter.ts";
import { AppError, ERROR_CODES, type ErrorCode } from "../../native-core/common/errors.ts";
import {
  ENGINE_PROTOCOL_VERSION,
  ENGINE_REQUESTS,
  type EngineArgument,
  type EngineOutbound,
  type EngineRequestName,
  type EngineResult,
  engineOutboundSchema,
} from "../../native-core/protocol/engine.ts";
import type { ProcessExit, VmChannel } from "./launcher.ts";

export interface VmTimeouts {
  /** Until the process says hello, from its start or from the last sign that it gets on with that. */
  readonly helloMs: number;
  /** Requests that only flip a switch in the engine. */
  readonly requestMs: number;
  /** Requests that move the guest's memory or boot it. */
  readonly longRequestMs: number;
  /** How long a stopped machine's process may take for answers it still owes. */
  readonly endMs: number;
}

export const DEFAULT_TIMEOUTS: VmTimeouts = { helloMs: 15_000, requestMs: 15_000, longRequestMs: 180_000, endMs: 3000 };

const LONG_REQUESTS: ReadonlySet<EngineRequestName> = new Set(["profile", "start", "saveState", "takeSnapshot"]);

export type VmEvent = Extract<EngineOutbound, { kind: "runState" | "reset" | "ejected" | "detached" | "log" }>;

interface Waiting {
  readonly name: EngineRequestName;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

export class VmClient {
  readonly #channel: VmChannel;
  readonly #timeouts: VmTimeouts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #events = new Emitter<VmEvent>();
  readonly #exited = Promise.withResolvers<ProcessExit>();
  readonly #hello = Promise.withResolvers<void>();
  readonly #phases = new Set<string>();
  #getsOn = Promise.withResolvers<"getsOn">();
  #lastId = 0;
  #exit: ProcessExit | null = null;
  #onIdle: (() => void) | null = null;

  readonly onEvent: Event<VmEvent> = this.#events.event;

  private constructor(channel: VmChannel, timeouts: VmTimeouts) {
    this.#channel = channel;
    this.#timeouts = timeouts;
    channel.onMessage((message) => this.#receive(message));
    channel.onExit((exit) => this.#end(exit));
    this.#hello.promise.catch(() => undefined);
  }

  /** Settles with a client that has shaken hands. A process that does not is killed. */
  static async connect(channel: VmChannel, timeouts: VmTimeouts = DEFAULT_TIMEOUTS): Promise<VmClient> {
    const client = new VmClient(channel, timeouts);
    try {
      await client.#greeted();
      return client;
    } catch (error) {
      channel.kill();
      throw error;
    }
  }

  /** However busy the host is, for as long as the process gets from one phase of its start to the next. */
  async #greeted(): Promise<void> {
    for (;;) {
      const sign = Promise.race([this.#hello.promise, this.#getsOn.promise]);
      const message = "The VM process did not answer after its start";
      if ((await withTimeout(sign, this.#timeouts.helloMs, message)) !== "getsOn") return;
      this.#getsOn = Promise.withResolvers();
    }
  }

  get pid(): number | undefined {
    return this.#channel.pid;
  }

  get hasExited(): boolean {
    return this.#exit !== null;
  }

  /** Settles when the process is gone, for whatever reason; never rejects. */
  get exited(): Promise<ProcessExit> {
    return this.#exited.promise;
  }

  stderrTail(): string {
    return this.#channel.stderrTail();
  }

  /** @throws AppError: what the engine reported, TIMEOUT, or ENGINE_FAILED when the process ends before it answers. */
  async request<N extends EngineRequestName>(name: N, argument: EngineArgument<N>): Promise<EngineResult<N>> {
    const [argumentSchema, resultSchema] = ENGINE_REQUESTS[name];
    const parsed = argumentSchema.safeParse(argument);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new AppError("INVALID_ARGUMENT", `The request ${name} is not valid: ${issue?.message ?? ""}`, {
        field: issue?.path.join(".") ?? name,
      });
    }
    if (this.#exit !== null) throw this.#goneError(name);
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { name, resolve, reject }));
    this.#channel.send({ id, request: name, argument: parsed.data });
    const limitMs = LONG_REQUESTS.has(name) ? this.#timeouts.longRequestMs : this.#timeouts.requestMs;
    try {
      const result = resultSchema.safeParse(await withTimeout(reply, limitMs, `The engine did not answer to ${name}`));
      if (result.success) return result.data as EngineResult<N>;
      throw new AppError("ENGINE_FAILED", `The engine's answer to ${name} is not valid`, {
        field: result.error.issues[0]?.path.join(".") ?? name,
        remedy: "This is a defect of Terrarium; please report it.",
      });
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#onIdle?.();
    }
  }

  /**
   * Ends the process of a machine that has stopped: its disks are safe by then, so once its answers are here there is nothing left to
   * wait for. (By itself it would first finish compiling code that nobody runs any more, which takes a second or two.)
   */
  async end(): Promise<ProcessExit> {
    if (this.#waiting.size > 0) {
      const answered = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await settlesWithin(Promise.race([answered, this.exited]), this.#timeouts.endMs);
    }
    return this.kill();
  }

  async kill(): Promise<ProcessExit> {
    if (this.#exit === null) this.#channel.kill();
    return this.exited;
  }

  #receive(message: unknown): void {
    const parsed = engineOutboundSchema.safeParse(message);
    if (!parsed.success) {
      this.#events.fire({
        kind: "log",
        level: "warn",
        message: "The VM process sent a message that is not in the protocol",
      });
      return;
    }
    const outbound = parsed.data;
    switch (outbound.kind) {
      case "hello":
        if (outbound.protocol === ENGINE_PROTOCOL_VERSION) this.#hello.resolve();
        else this.#hello.reject(versionMismatch(outbound.protocol));
        return;
      case "starting":
        if (!this.#phases.has(outbound.phase)) this.#getsOn.resolve("getsOn");
        this.#phases.add(outbound.phase);
        return;
      case "reply":
        this.#waiting.get(outbound.id)?.resolve(outbound.result);
        return;
      case "failure":
        this.#waiting.get(outbound.id)?.reject(toAppError(outbound.error));
        return;
      default:
        this.#events.fire(outbound);
    }
  }

  #end(exit: ProcessExit): void {
    this.#exit = exit;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#goneError(waiting.name));
    this.#hello.reject(this.#goneError("hello"));
    this.#exited.resolve(exit);
  }

  #goneError(during: string): AppError {
    const how = describeExit(this.#exit ?? { code: null, signal: null });
    const said = lastLine(this.stderrTail());
    return new AppError("ENGINE_FAILED", `The VM process ended (${how}) during ${during}${said ? `: ${said}` : ""}`, {
      consequence: "The machine is not running; its disks and snapshots are kept.",
      remedy: "Start the machine again. If it happens again, look into its log.",
    });
  }
}

export function describeExit(exit: ProcessExit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.code === null ? "it could not be started" : `exit code ${exit.code}`;
}

/** The line of a process's last words that says what was wrong: the newest error, else the last one that is not Node's signature. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const telling = lines.filter((line) => line !== "" && !line.startsWith("Node.js v"));
  return telling.findLast((line) => /^[A-Za-z]*Error\b/.test(line)) ?? telling.at(-1) ?? "";
}

function versionMismatch(theirs: number): AppError {
  return new AppError(
    "VERSION_MISMATCH",
    `The VM process speaks protocol ${theirs}, this app ${ENGINE_PROTOCOL_VERSION}`,
    {
      consequence: "The machine was not started.",
      remedy: "Install Terrarium again; its parts are of different versions.",
    },
  );
}

function toAppError(error: { code: string; message: string; details: Record<string, string> }): AppError {
  const code = (ERROR_CODES as readonly string[]).includes(error.code) ? (error.code as ErrorCode) : "ENGINE_FAILED";
  const { file, field, consequence, remedy } = error.details as Record<string, string | undefined>;
  return new AppError(code, error.message, {
    ...(file !== undefined && { file }),
    ...(field !== undefined && { field }),
    ...(consequence !== undefined && { consequence }),
    ...(remedy !== undefined && { remedy }),
  });
}

async function withTimeout<T>(promise: Promise<T>, limitMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const fail = () =>
      reject(
        new AppError("TIMEOUT", `${message} within ${limitMs / 1000} s`, {
          remedy: "Power the machine off and start it again.",
        }),
      );
    // A host that was too busy to look, or asleep, finds the answer waiting.
    timer = setTimeout(() => setImmediate(fail), limitMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function settlesWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
