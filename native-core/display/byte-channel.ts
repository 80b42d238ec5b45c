// A two-way stream of bytes to a viewer: a WebSocket, a MessagePort or a socket, made by the shell that also protects it.

export interface ByteChannel {
  /** Called for every piece that arrives, in order. Set once, before anything arrives. */
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** Called once, when the other side is gone. */
  onClose: (() => void) | undefined;
  /** Queues bytes, which the caller does not touch again. Never blocks; writing to a closed channel does nothing. */
  write(bytes: Uint8Array): void;
  /** The same for pieces that belong together: they leave at once and are not joined before. */
  writeAll(pieces: readonly Uint8Array[]): void;
  /** Closes from this side; `onClose` is not called. */
  close(): void;
  /** Bytes written that have not left yet, as far as the transport knows; 0 if it can't tell. */
  readonly bufferedBytes: number;
}
