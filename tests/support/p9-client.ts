// A 9P2000.L client in a few lines, for tests: builds messages, and reads answers with the server's own reader.
import { DmaBuffer } from "../../native-core/devices/dma-buffer.ts";
import { READ_ANSWER_BYTES, T, VERSION } from "../../native-core/devices/virtio/p9/protocol.ts";
import type { P9Server } from "../../native-core/devices/virtio/p9/server.ts";
import { FieldReader, FieldWriter } from "../../native-core/devices/virtio/p9/wire.ts";
import { TestMemory } from "../devices/virtio-support.ts";

const REQUEST_AT = 0x1000;
const ANSWER_AT = 0x8_0000;
const ROOM_BYTES = 0x7_0000;
const NO_FID = 0xffff_ffff;

export interface P9Reply {
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly fields: FieldReader;
  /** Of an error, else undefined. */
  readonly errno: number | undefined;
}

export class P9Client {
  readonly #server: P9Server;
  /** Whether requests are tried at once first, as the device does. */
  atOnce = true;
  #tag = 0;

  constructor(server: P9Server) {
    this.#server = server;
  }

  /** Sends any bytes; `announced` of them count as the message. */
  async send(message: Uint8Array, roomBytes = ROOM_BYTES): Promise<P9Reply> {
    const memory = new TestMemory();
    memory.write(REQUEST_AT, message);
    const request = {
      message,
      messageBytes: message.length,
      answerBytes: roomBytes,
      source: (offset: number, length: number) =>
        new DmaBuffer(memory, [{ address: REQUEST_AT + offset, length }], false),
      target: (offset: number, length: number) =>
        new DmaBuffer(memory, [{ address: ANSWER_AT + offset, length }], true),
    };
    const now = this.atOnce ? this.#server.answerNow(request) : undefined;
    const { bytes, dataBytes } = now ?? (await this.#server.handle(request));
    const answer = new Uint8Array(bytes.length + dataBytes);
    memory.read(ANSWER_AT, answer);
    answer.set(bytes);
    const view = new DataView(answer.buffer);
    const type = answer[4] as number;
    return {
      type,
      bytes: answer,
      fields: new FieldReader(answer),
      errno: type === T.LERROR + 1 ? view.getUint32(7, true) : undefined,
    };
  }

  call(type: number, build: (fields: FieldWriter) => FieldWriter): Promise<P9Reply> {
    return this.send(build(new FieldWriter()).finish(type, ++this.#tag & 0x7fff));
  }

  version(msize = 1 << 18): Promise<P9Reply> {
    return this.call(T.VERSION, (fields) => fields.u32(msize).text(VERSION));
  }

  attach(fid: number, name = "", uid = 1000): Promise<P9Reply> {
    return this.call(T.ATTACH, (fields) => fields.u32(fid).u32(NO_FID).text("user").text(name).u32(uid));
  }

  walk(from: number, to: number, ...names: string[]): Promise<P9Reply> {
    return this.call(T.WALK, (fields) => {
      fields.u32(from).u32(to).u16(names.length);
      for (const name of names) fields.text(name);
      return fields;
    });
  }

  open(fid: number, flags = 0): Promise<P9Reply> {
    return this.call(T.LOPEN, (fields) => fields.u32(fid).u32(flags));
  }

  create(fid: number, name: string, flags = 2, mode = 0o644): Promise<P9Reply> {
    return this.call(T.LCREATE, (fields) => fields.u32(fid).text(name).u32(flags).u32(mode).u32(0));
  }

  async read(fid: number, offset = 0, length = 4096): Promise<string | number> {
    const reply = await this.call(T.READ, (fields) => fields.u32(fid).u64(offset).u32(length));
    return reply.errno ?? new TextDecoder().decode(reply.bytes.subarray(READ_ANSWER_BYTES));
  }

  write(fid: number, text: string, offset = 0): Promise<P9Reply> {
    const data = new TextEncoder().encode(text);
    return this.call(T.WRITE, (fields) => {
      fields.u32(fid).u64(offset).u32(data.length);
      for (const byte of data) fields.u8(byte);
      return fields;
    });
  }

  clunk(fid: number): Promise<P9Reply> {
    return this.call(T.CLUNK, (fields) => fields.u32(fid));
  }

  /** Names in a folder, read in pieces of `count` bytes. */
  async list(fid: number, count = 4096): Promise<string[]> {
    const names: string[] = [];
    for (let offset = 0n; ; ) {
      const at = offset;
      const { fields, errno } = await this.call(T.READDIR, (each) => each.u32(fid).u64(at).u32(count));
      if (errno !== undefined) throw new Error(`readdir: ${errno}`);
      let left = fields.u32();
      if (left === 0) return names;
      while (left > 0) {
        for (const _ of [fields.u8(), fields.u32(), fields.u64()]);
        offset = fields.u64();
        fields.u8();
        const name = fields.text();
        names.push(name);
        left -= 24 + new TextEncoder().encode(name).length;
      }
    }
  }
}
