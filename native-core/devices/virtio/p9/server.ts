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
import { FILE_REQUESTS, FILE_REQUESTS_NOW } from "./file-requests.ts";
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
import type { Answer, Handler, ImmediateHandler, Request, RequestMemory } from "./request.ts";
import { Session } from "./session.ts";
import { TREE_REQUESTS, TREE_REQUESTS_NOW } from "./tree-requests.ts";
import { FieldReader, FieldWriter } from "./wire.ts";

const HANDLERS: ReadonlyMap<number, Handler> = new Map([...TREE_REQUESTS, ...FILE_REQUESTS]);
const HANDLERS_NOW: ReadonlyMap<number, ImmediateHandler> = new Map([...TREE_REQUESTS_NOW, ...FILE_REQUESTS_NOW]);

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

  /**
   * Answers on the spot where nothing has to be waited for; undefined, with nothing changed: `handle` it. Never throws. What was lent of
   * `memory` may have been written to either way.
   */
  answerNow(memory: RequestMemory): Reply | undefined {
    const { type, tag, parse } = this.#open(memory);
    const handler = HANDLERS_NOW.get(type);
    if (!handler) return undefined;
    try {
      const answer = handler(parse());
      return answer && replyOf(answer, type, tag, memory);
    } catch (error) {
      return replyOf(errorAnswer(error), type, tag, memory);
    }
  }

  /** Never rejects. `memory` is used until then. */
  async handle(memory: RequestMemory): Promise<Reply> {
    const { type, tag, parse } = this.#open(memory);
    const carryOut = async (): Promise<Answer> => {
      const request = parse();
      if (type === T.VERSION) return this.#version(request.fields);
      if (type === T.FLUSH) return this.#flush(request.fields);
      const handler = HANDLERS.get(type);
      if (!handler) throw new ShareError("EOPNOTSUPP");
      return handler(request);
    };
    const work: Promise<Outcome> = carryOut().catch(errorAnswer);
    this.#underWay.set(tag, work);
    const outcome = await work;
    if (this.#underWay.get(tag) === work) this.#underWay.delete(tag);
    return replyOf(outcome, type, tag, memory);
  }

  /** A request's header; `parse` throws ShareError for one whose size is not right. */
  #open(memory: RequestMemory) {
    const { message, messageBytes } = memory;
    const isWhole = message.length >= HEADER_BYTES;
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const type = isWhole ? view.getUint8(4) : 0;
    const session = this.#session;
    const parse = (): Request => {
      const sizeBytes = isWhole ? view.getUint32(0, true) : 0;
      const maxBytes = type === T.WRITE ? session.msize : REQUEST_MAX_BYTES;
      if (sizeBytes < HEADER_BYTES || sizeBytes > messageBytes || sizeBytes > maxBytes) throw new ShareError("EPROTO");
      return {
        session,
        fields: new FieldReader(message.subarray(0, Math.min(sizeBytes, message.length))),
        memory: bounded(memory, sizeBytes),
        dataRoom: (headerBytes) => Math.min(session.msize, memory.answerBytes) - headerBytes,
      };
    };
    return { type, tag: isWhole ? view.getUint16(5, true) : 0xffff, parse };
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

type Outcome = Answer & { readonly isError?: boolean };

function replyOf(outcome: Outcome, type: number, tag: number, { answerBytes }: RequestMemory): Reply {
  const { fields, dataBytes = 0, isError = false } = outcome;
  const fits = fields.length + dataBytes <= answerBytes;
  if (fits) return { bytes: fields.finish(isError ? T.LERROR + 1 : type + 1, tag, dataBytes), dataBytes };
  return { bytes: errorAnswer(new ShareError("EPROTO")).fields.finish(T.LERROR + 1, tag), dataBytes: 0 };
}

function errorAnswer(error: unknown): Outcome {
  const errno = error instanceof ShareError ? error.errno : ERRNO.EIO;
  return { fields: new FieldWriter(ERROR_BYTES).u32(errno), isError: true };
}

/** How much of a request the server wants to see at once; a write's data stays where it is. */
export function messageBytesOf(type: number, availableBytes: number): number {
  return Math.min(availableBytes, type === T.WRITE ? WRITE_REQUEST_BYTES : REQUEST_MAX_BYTES);
}
