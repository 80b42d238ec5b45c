// Worker thread that compresses and writes a state while the guest runs on. One state per worker.
import { parentPort, workerData } from "node:worker_threads";
import { PageMap } from "./page-map.ts";
import { type StateTarget, StateWriter } from "./state-writer.ts";

export type WorkerRequest =
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
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const port = parentPort;
if (!port) throw new Error("assertion failed: runs as a worker");
const reply = (message: WorkerReply) => port.postMessage(message);
let writer: StateWriter | undefined;

function handle(request: WorkerRequest): void {
  writer ??= new StateWriter(workerData as StateTarget);
  if (request.kind === "chunks") {
    for (const { pages, bytes } of request.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(request.zeroPages);
    reply({ kind: "taken" });
  } else if (request.kind === "finish") {
    const base = new PageMap(request.base.chunks, request.base.pages);
    const { map, writtenBytes } = writer.finish(base, request.stateJson);
    reply({ kind: "done", map: { chunks: map.chunks, pages: map.pages }, writtenBytes });
    port?.close();
  } else {
    writer.abort();
    port?.close();
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
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    reply({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
    port?.close();
  }
});
