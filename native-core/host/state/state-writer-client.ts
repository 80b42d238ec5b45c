// The worker that writes a state, as the VM process sees it: chunks go in with back-pressure, a summary or an AppError comes out.
import { once } from "node:events";
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

export class StateWriterClient {
  readonly #worker: Worker;
  readonly #target: StateTarget;
  readonly #replies: WorkerReply[] = [];
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(target: StateTarget) {
    this.#target = target;
    this.#worker = new Worker(new URL("./state-worker.ts", import.meta.url), {
      workerData: target,
      name: "state-writer",
    });
    this.#worker.on("message", (reply: WorkerReply) => this.#take(reply));
    this.#worker.on("exit", () => {
      this.#ended = true;
      // Nobody waits for this but somebody whose answer will never come.
      this.#take({ kind: "failed", code: "", message: "the thread that writes the state ended" });
    });
    this.#worker.on("error", (error) => this.#take({ kind: "failed", code: "", message: error.message }));
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
    await this.#worker.terminate();
    return { map: new PageMap(reply.map.chunks, reply.map.pages), writtenBytes: reply.writtenBytes };
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    const exit = once(this.#worker, "exit");
    this.#send({ kind: "abort" }, []);
    await exit;
  }

  #send(request: WorkerRequest, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(request, transfer);
  }

  async #next(): Promise<WorkerReply> {
    while (this.#replies.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const reply = this.#replies.shift() as WorkerReply;
    if (reply.kind !== "failed") return reply;
    await this.#worker.terminate();
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
