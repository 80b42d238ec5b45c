// The 9P2000.L server: takes requests of one guest, whatever they hold, and has shared folders carry them out. It knows neither virtio
// nor the host's file system, and never throws for what a guest does.
//
//   /            the tree's root: read-only, made of the shared folders' names
//   /NAME/...    what is in the shared folder NAME; attaching with NAME (aname) makes it the root
//
// Requests run side by side; the driver waits for an answer where order matters to it. Folders come and go while guests have files in
// them open: those fail with ESTALE then.
import { z } from "zod";
import { u32 } from "../../state-schema.ts";
import { fidStateSchema } from "./fids.ts";
import { FILE_REQUESTS } from "./file-requests.ts";
import { ERRNO, type FileShare, ShareError } from "./file-share.ts";
import {
  ERROR_BYTES,
  FIDS_MAX,
  HEADER_BYTES,
  MSIZE_MAX,
  MSIZE_MIN,
  REQUEST_MAX_BYTES,
  T,
  VERSION,
  WRITE_REQUEST_BYTES,
} from "./protocol.ts";
import type { Answer, Handler, RequestMemory } from "./request.ts";
import { Session } from "./session.ts";
import { TREE_REQUESTS } from "./tree-requests.ts";
import { FieldReader, FieldWriter } from "./wire.ts";

const HANDLERS: ReadonlyMap<number, Handler> = new Map([...TREE_REQUESTS, ...FILE_REQUESTS]);

export const serverStateSchema = z.strictObject({
  msize: u32.min(MSIZE_MIN).max(MSIZE_MAX),
  fids: z.array(fidStateSchema).max(FIDS_MAX),
});
type ServerState = z.infer<typeof serverStateSchema>;

/** The bytes before the data that is in the guest's memory already, and how much there is of that. */
export interface Reply {
  readonly bytes: Uint8Array;
  readonly dataBytes: number;
}

export class P9Server {
  readonly #session = new Session();
  /** Requests under way by tag, for those that wait for their end (flush). */
  readonly #underWay = new Map<number, Promise<unknown>>();

  /** Other shared folders, in force at once. Settles when files in those that are gone are closed. */
  setShares(shares: readonly FileShare[], nowMs: number): Promise<void> {
    return this.#session.setShares(shares, nowMs);
  }

  /** A new driver: nothing is left of the one before. */
  reset(): Promise<void> {
    this.#session.msize = MSIZE_MIN;
    return this.#session.fids.clear();
  }

  save(): ServerState {
    return { msize: this.#session.msize, fids: this.#session.fids.save() };
  }

  /** After `reset`. Files are opened anew when the guest uses them. */
  restore({ msize, fids }: ServerState): void {
    this.#session.msize = msize;
    this.#session.fids.restore(fids);
  }

  /** Never rejects. `memory` is used until then. */
  async handle(memory: RequestMemory): Promise<Reply> {
    const { message } = memory;
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const type = message.length >= HEADER_BYTES ? view.getUint8(4) : 0;
    const tag = message.length >= HEADER_BYTES ? view.getUint16(5, true) : 0xffff;
    const work = this.#answer(type, view, memory).catch(errorAnswer);
    this.#underWay.set(tag, work);
    const { fields, dataBytes = 0, isError = false } = await work;
    if (this.#underWay.get(tag) === work) this.#underWay.delete(tag);
    const fits = fields.length + dataBytes <= memory.answerBytes;
    if (fits) return { bytes: fields.finish(isError ? T.LERROR + 1 : type + 1, tag, dataBytes), dataBytes };
    return { bytes: errorAnswer(new ShareError("EPROTO")).fields.finish(T.LERROR + 1, tag), dataBytes: 0 };
  }

  async #answer(type: number, view: DataView, memory: RequestMemory): Promise<Answer & { isError?: boolean }> {
    const { message, messageBytes } = memory;
    if (message.length < HEADER_BYTES) throw new ShareError("EPROTO");
    const sizeBytes = view.getUint32(0, true);
    const maxBytes = type === T.WRITE ? this.#session.msize : REQUEST_MAX_BYTES;
    if (sizeBytes < HEADER_BYTES || sizeBytes > messageBytes || sizeBytes > maxBytes) throw new ShareError("EPROTO");
    const fields = new FieldReader(message.subarray(0, Math.min(sizeBytes, message.length)));
    if (type === T.VERSION) return this.#version(fields);
    if (type === T.FLUSH) return this.#flush(fields);
    const handler = HANDLERS.get(type);
    if (!handler) throw new ShareError("EOPNOTSUPP");
    const session = this.#session;
    const dataRoom = (headerBytes: number) => Math.min(session.msize, memory.answerBytes) - headerBytes;
    return handler({ session, fields, memory: { ...bounded(memory, sizeBytes) }, dataRoom });
  }

  /** version: msize text. It ends everything that was before. */
  async #version(fields: FieldReader): Promise<Answer> {
    const msize = fields.u32();
    const version = fields.text();
    if (msize < MSIZE_MIN) throw new ShareError("EINVAL");
    await this.#session.fids.clear();
    this.#session.msize = Math.min(msize, MSIZE_MAX);
    const isKnown = version === VERSION;
    return { fields: new FieldWriter().u32(this.#session.msize).text(isKnown ? VERSION : "unknown") };
  }

  /** flush: oldtag. What is under way is not cut off; the answer follows its answer. */
  async #flush(fields: FieldReader): Promise<Answer> {
    await this.#underWay.get(fields.u16());
    return { fields: new FieldWriter() };
  }
}

/** A request as long as it says. */
function bounded(memory: RequestMemory, messageBytes: number): RequestMemory {
  return {
    ...{ message: memory.message, messageBytes, answerBytes: memory.answerBytes },
    source: (offset, length) => memory.source(offset, length),
    target: (offset, length) => memory.target(offset, length),
  };
}

function errorAnswer(error: unknown): Answer & { isError: true } {
  const errno = error instanceof ShareError ? error.errno : ERRNO.EIO;
  return { fields: new FieldWriter(ERROR_BYTES).u32(errno), isError: true };
}

/** How much of a request the server wants to see at once; a write's data stays where it is. */
export function messageBytesOf(type: number, availableBytes: number): number {
  return Math.min(availableBytes, type === T.WRITE ? WRITE_REQUEST_BYTES : REQUEST_MAX_BYTES);
}
