// Takes messages from main, checks them, has the engine carry them out and answers. Whatever comes in, exactly one answer goes out
// for each request that has a usable id, and nothing that doesn't fit the contract reaches the engine or main.
import { isAppError } from "../common/errors.ts";
import { ENGINE_REQUESTS, type EngineOutbound, type EngineRequestName, engineInboundSchema } from "./engine.ts";
import type { Engine } from "./engine-interface.ts";

type Failure = Extract<EngineOutbound, { kind: "failure" }>["error"];

export class RequestDispatcher {
  readonly #engine: Engine;
  readonly #send: (message: EngineOutbound) => void;
  #open = 0;
  #quiet: (() => void)[] = [];

  constructor(engine: Engine, send: (message: EngineOutbound) => void) {
    this.#engine = engine;
    this.#send = send;
    engine.onEvent((event) => send(event));
  }

  /** Settles when every request so far is answered. */
  whenQuiet(): Promise<void> {
    return this.#open === 0 ? Promise.resolve() : new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** Never rejects. */
  async receive(message: unknown): Promise<void> {
    const inbound = engineInboundSchema.safeParse(message);
    if (!inbound.success) {
      this.#send({ kind: "log", level: "warn", message: "main sent a message that is not in the protocol" });
      return;
    }
    const { id, request, argument } = inbound.data;
    this.#open++;
    try {
      const result = await this.#carryOut(request, argument);
      this.#send({ kind: "reply", id, result });
    } catch (error) {
      this.#send({ kind: "failure", id, error: toFailure(error) });
    } finally {
      if (--this.#open === 0) for (const resolve of this.#quiet.splice(0)) resolve();
    }
  }

  async #carryOut(request: string, argument: unknown): Promise<unknown> {
    if (!isRequestName(request)) throw refusal("UNSUPPORTED", `there is no request ${request}`, "request");
    const [argumentSchema, resultSchema] = ENGINE_REQUESTS[request];
    const checked = argumentSchema.safeParse(argument);
    if (!checked.success) {
      const issue = checked.error.issues[0];
      const field = issue?.path.map(String).join(".") || request;
      throw refusal("INVALID_ARGUMENT", `${request}: ${field}: ${issue?.message ?? "invalid"}`, field);
    }
    // The schema above is the one of this very request, which the type system can't follow through the table.
    const method = this.#engine[request] as (argument: unknown) => Promise<unknown>;
    const result = resultSchema.safeParse(await method.call(this.#engine, checked.data));
    if (result.success) return result.data;
    throw refusal(
      "ENGINE_FAILED",
      `the engine's answer to ${request} is not valid`,
      result.error.issues[0]?.path.join(".") ?? "",
    );
  }
}

function isRequestName(name: string): name is EngineRequestName {
  return Object.hasOwn(ENGINE_REQUESTS, name);
}

class Refusal extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

function refusal(code: string, message: string, field: string): Refusal {
  return new Refusal({ code, message, details: { field } });
}

/** A failure as it travels. Anything unexpected is the engine's failure, with its own words. */
function toFailure(error: unknown): Failure {
  if (error instanceof Refusal) return error.failure;
  if (isAppError(error)) {
    const details = Object.entries(error.details).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return { code: error.code, message: error.message, details: Object.fromEntries(details) };
  }
  return {
    code: "ENGINE_FAILED",
    message: error instanceof Error ? error.message : String(error),
    details: { remedy: "This is a defect of Terrarium; please report it with the machine's log." },
  };
}
