// Worker thread that compresses and writes a state while the guest runs on. One state at a time.
import { parentPort } from "node:worker_threads";
import { PageMap } from "./page-map.ts";
import { type StateTarget, StateWriter } from "./state-writer.ts";

export type WorkerRequest =
  | { readonly kind: "begin"; readonly target: StateTarget }
  | {
      readonly kind: "chunks";
      readonly chunks: readonly { pages: number[]; bytes: Uint8Array }[];
      readonly zeroPages: number[];
    }
  | { readonly kind: "finish"; readonly base: Pick<PageMap, "chunks" | "pages">; readonly stateJson: string }
  | { readonly kind: "abort" };

export type WorkerReply =
  | { readonly kind: "taken" }
  | { readonly kind: "done"; readonly map: Pick<PageMap, "chunks" | "pages">; readonly writtenBytes: number }
  | { readonly kind: "aborted" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const port = parentPort;
if (!port) throw new Error("assertion failed: runs as a worker");
const reply = (message: WorkerReply) => port.postMessage(message);
let writer: StateWriter | undefined;

function handle(request: WorkerRequest): void {
  if (request.kind === "begin") {
    writer = new StateWriter(request.target);
  } else if (request.kind === "chunks") {
    if (!writer) throw new Error("assertion failed: a state was begun");
    for (const { pages, bytes } of request.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(request.zeroPages);
    reply({ kind: "taken" });
  } else if (request.kind === "finish") {
    if (!writer) throw new Error("assertion failed: a state was begun");
    const base = new PageMap(request.base.chunks, request.base.pages);
    const { map, writtenBytes } = writer.finish(base, request.stateJson);
    writer = undefined;
    reply({ kind: "done", map: { chunks: map.chunks, pages: map.pages }, writtenBytes });
  } else {
    writer?.abort();
    writer = undefined;
    reply({ kind: "aborted" });
  }
}

port.on("message", (request: WorkerRequest) => {
  try {
    handle(request);
  } catch (error) {
    try {
      writer?.abort();
    } catch {
      // The first failure is the one to tell.
    }
    writer = undefined;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    reply({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
  }
});
