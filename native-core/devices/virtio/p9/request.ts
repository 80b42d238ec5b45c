// One request on its way through the server, and what comes of it.
import type { DmaBuffer } from "../../dma-buffer.ts";
import type { Session } from "./session.ts";
import type { FieldReader, FieldWriter } from "./wire.ts";

/** The guest's memory behind a request: message and answer are lists of pieces somewhere in it. */
export interface RequestMemory {
  /** The request's fields, a write's data apart. */
  readonly message: Uint8Array;
  /** Bytes of the whole request that are there, whatever its size field says. */
  readonly messageBytes: number;
  /** Room for the answer, in bytes. */
  readonly answerBytes: number;
  /** `length` bytes from `offset` of the request. */
  source(offset: number, length: number): DmaBuffer;
  /** `length` bytes from `offset` of the answer. Whoever carries the answer ends the transfer. */
  target(offset: number, length: number): DmaBuffer;
}

export interface Request {
  readonly session: Session;
  readonly fields: FieldReader;
  readonly memory: RequestMemory;
  /** Room for an answer with data, its header apart. */
  dataRoom(headerBytes: number): number;
}

/** The answer's fields. `dataBytes` follow them in the guest's memory already. */
export interface Answer {
  readonly fields: FieldWriter;
  readonly dataBytes?: number;
}

export type Handler = (request: Request) => Promise<Answer>;

/**
 * Answers on the spot what needs no waiting: nine of ten requests of a driver that looks around or reads in small pieces. Undefined, with
 * nothing changed: the other handler is to be asked. Throws ShareError.
 */
export type ImmediateHandler = (request: Request) => Answer | undefined;
