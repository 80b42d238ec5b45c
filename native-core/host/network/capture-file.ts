// A capture that is being written: frames go to a pcapng file until it is stopped, full or the disk is.
import { createWriteStream, type WriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { pcapngHeader, pcapngPacket } from "../../network/capture/pcapng.ts";
import type { Frame } from "../../network/frame.ts";
import { withChecksum } from "../../network/offload.ts";
import { fileError } from "../file-error.ts";

/** A capture that nobody stops ends here. */
const MAX_BYTES = 4 * 2 ** 30;
/** What may wait for a slow disk; frames beyond are missing in the capture, never in the guest. */
const MAX_WAITING_BYTES = 64 << 20;

export class CaptureFile {
  readonly file: string;
  readonly #stream: WriteStream;
  readonly #ended: (problem: string | undefined) => void;
  writtenBytes = 0;
  frames = 0;
  missedFrames = 0;
  #isOpen = true;
  /** Between the wall clock, which frames are dated by, and the monotonic one, which keeps their order. */
  readonly #epochNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

  private constructor(file: string, stream: WriteStream, ended: (problem: string | undefined) => void) {
    this.file = file;
    this.#stream = stream;
    this.#ended = ended;
    stream.on("error", (error) => this.#end(fileError(error, file).message));
  }

  /** `file` must not exist. `ended` is called once, when no more is written, with the reason if it was not `close`. */
  static async create(
    file: string,
    interfaceName: string,
    ended: (problem: string | undefined) => void,
  ): Promise<CaptureFile> {
    const handle = await open(file, "wx", 0o600).catch((error: unknown) => {
      throw fileError(error, file, { field: "file", consequence: "Nothing is captured." });
    });
    const capture = new CaptureFile(file, createWriteStream(file, { fd: handle }), ended);
    capture.#write(pcapngHeader(interfaceName));
    return capture;
  }

  /** Checksums are completed, so that readers don't take unfinished ones for errors. */
  add(frame: Frame, direction: "in" | "out"): void {
    if (!this.#isOpen) return;
    if (this.#stream.writableLength > MAX_WAITING_BYTES) {
      this.missedFrames++;
      return;
    }
    this.frames++;
    this.#write(pcapngPacket(withChecksum(frame).bytes, direction, this.#epochNs + process.hrtime.bigint()));
    if (this.writtenBytes > MAX_BYTES) this.#end(`${this.file} reached its limit of ${MAX_BYTES / 2 ** 30} GiB`);
  }

  async close(): Promise<void> {
    this.#end(undefined);
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => this.#stream.once("close", resolve));
  }

  #write(bytes: Uint8Array): void {
    this.writtenBytes += bytes.length;
    this.#stream.write(bytes);
  }

  #end(problem: string | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.end();
    this.#ended(problem);
  }
}
