// The worker that writes a state, as the VM process sees it: chunks go in with back-pressure, a summary or an AppError comes out.
import { Worker } from "node:worker_threads";
import { AppError } from "../../common/errors.ts";
import { fileError } from "../file-error.ts";
import { PageMap } from "./page-map.ts";
import type { WorkerReply, WorkerRequest } from "./state-worker.ts";
import type { StateSummary, StateTarget } from "./state-writer.ts";

export interface PageChunk {
  readonly pages: number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Starting a thread takes longer than writing what changed in a few minutes. */
const THREAD_KEPT_MS = 60_000;

/** The thread that wrote the last state, for the next one that comes soon. */
let kept: { readonly worker: Worker; readonly expiry: NodeJS.Timeout } | undefined;

function forgetListeners(worker: Worker): void {
  for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
}

function takeThread(): Worker {
  if (!kept) return new Worker(new URL("./state-worker.ts", import.meta.url), { name: "state-writer" });
  const { worker, expiry } = kept;
  kept = undefined;
  clearTimeout(expiry);
  forgetListeners(worker);
  worker.ref();
  return worker;
}

function keepThread(worker: Worker): void {
  forgetListeners(worker);
  if (kept) return void worker.terminate();
  worker.unref();
  const forget = () => {
    if (kept?.worker === worker) kept = undefined;
  };
  // Should it end by itself, the next state gets another one.
  worker.on("error", forget).on("exit", forget);
  const expiry = setTimeout(() => {
    forget();
    void worker.terminate();
  }, THREAD_KEPT_MS);
  expiry.unref();
  kept = { worker, expiry };
}

export class StateWriterClient {
  readonly #worker: Worker;
  readonly #target: StateTarget;
  readonly #replies: WorkerReply[] = [];
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(target: StateTarget) {
    this.#target = target;
    this.#worker = takeThread();
    this.#worker.on("message", (reply: WorkerReply) => this.#take(reply));
    this.#worker.on("exit", () => {
      this.#ended = true;
      // Nobody waits for this but somebody whose answer will never come.
      this.#take({ kind: "failed", code: "", message: "the thread that writes the state ended" });
    });
    this.#worker.on("error", (error) => this.#take({ kind: "failed", code: "", message: error.message }));
    this.#send({ kind: "begin", target }, []);
  }

  /** Hands chunks over; their buffers are gone afterwards. Settles when the worker has taken them in. */
  async add(chunks: readonly PageChunk[], zeroPages: number[]): Promise<void> {
    this.#send(
      { kind: "chunks", chunks, zeroPages },
      chunks.map((chunk) => chunk.bytes.buffer),
    );
    await this.#next();
  }

  /** Settles when the state is durable. */
  async finish(base: PageMap, stateJson: string): Promise<StateSummary> {
    this.#send({ kind: "finish", base: { chunks: base.chunks, pages: base.pages }, stateJson }, []);
    const reply = await this.#next();
    if (reply.kind !== "done") throw new Error("assertion failed: the last reply is the summary");
    keepThread(this.#worker);
    return { map: new PageMap(reply.map.chunks, reply.map.pages), writtenBytes: reply.writtenBytes };
  }

  /** Removes what was written. After a failure there is nothing. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#send({ kind: "abort" }, []);
    for (;;) {
      const reply = await this.#reply();
      if (reply.kind === "failed") return this.#end();
      if (reply.kind === "aborted") return keepThread(this.#worker);
    }
  }

  #send(request: WorkerRequest, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(request, transfer);
  }

  async #reply(): Promise<WorkerReply> {
    while (this.#replies.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#replies.shift() as WorkerReply;
  }

  async #end(): Promise<void> {
    this.#ended = true;
    await this.#worker.terminate();
  }

  async #next(): Promise<WorkerReply> {
    const reply = await this.#reply();
    if (reply.kind !== "failed") return reply;
    await this.#end();
    const error = Object.assign(new Error(reply.message), { code: reply.code });
    const failure = fileError(error, this.#target.folder);
    throw new AppError(failure.code, failure.message, {
      ...failure.details,
      consequence: "The state was not saved and nothing was left behind; the machine runs on.",
    });
  }

  #take(reply: WorkerReply): void {
    this.#replies.push(reply);
    this.#wake();
  }
}
