// Requests about one file or folder: its attributes and its content.
import type { Fid } from "./fids.ts";
import { type AttributeChanges, type FileAttributes, type FolderEntry, ShareError } from "./file-share.ts";
import {
  ENTRY_TYPE,
  GETATTR_BASIC,
  HEADER_BYTES,
  LOCK,
  NAME_MAX_BYTES,
  OPEN,
  QID,
  QID_BYTES,
  READ_ANSWER_BYTES,
  SETATTR,
  T,
  V9FS_MAGIC,
  WRITE_REQUEST_BYTES,
} from "./protocol.ts";
import type { Answer, Handler, ImmediateHandler } from "./request.ts";
import { modeOf, openMode, type Session, writeQid } from "./session.ts";
import { FieldWriter, textBytes } from "./wire.ts";

const ATTRIBUTES_BYTES = 160;
/** Data of a request that is carried out at once. */
const NOW_MAX_BYTES = 128 << 10;
const NS_PER_S = 1_000_000_000n;

/** getattr: fid mask. */
const getAttributes: Handler = async ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  return attributesAnswer(fid, await session.attributes(fid));
};

const getAttributesNow: ImmediateHandler = ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  const attributes = fid.file ? undefined : session.attributesNow(fid.place);
  return attributes && attributesAnswer(fid, attributes);
};

function attributesAnswer(fid: Fid, attributes: FileAttributes): Answer {
  const writer = writeQid(new FieldWriter(ATTRIBUTES_BYTES).u64(GETATTR_BASIC), attributes)
    .u32(modeOf(attributes))
    // The host's owner means nothing in the guest, and what its users may do was decided by sharing the folder.
    .u32(fid.uid)
    .u32(fid.uid)
    .u64(attributes.links)
    .u64(0)
    .u64(attributes.sizeBytes)
    .u64(attributes.blockBytes)
    .u64(attributes.blocks);
  for (const time of [attributes.accessedNs, attributes.modifiedNs, attributes.changedNs, 0n]) {
    writer.u64(time / NS_PER_S).u64(time % NS_PER_S);
  }
  return { fields: writer.u64(0).u64(0) };
}

/** setattr: fid valid mode uid gid size atime mtime. Owners can't change, and trying is no failure: archives set them. */
const setAttributes: Handler = async ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  const valid = fields.u32();
  const mode = fields.u32() & 0o777;
  fields.u64();
  const sizeBytes = fields.u64();
  const accessedNs = fields.u64() * NS_PER_S + fields.u64();
  const modifiedNs = fields.u64() * NS_PER_S + fields.u64();
  const share = session.writableShareOf(fid.place);
  const has = (bit: number): boolean => (valid & bit) !== 0;
  if (has(SETATTR.SIZE) && sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) throw new ShareError("EFBIG");
  const changes: AttributeChanges = {
    ...(has(SETATTR.MODE) && { mode }),
    ...(has(SETATTR.SIZE) && { sizeBytes: Number(sizeBytes) }),
    ...(has(SETATTR.ATIME) && { accessedNs: has(SETATTR.ATIME_SET) ? accessedNs : "now" }),
    ...(has(SETATTR.MTIME) && { modifiedNs: has(SETATTR.MTIME_SET) ? modifiedNs : "now" }),
  };
  if (Object.keys(changes).length > 0) {
    if (fid.file && openMode(fid.flags ?? 0).write) await fid.file.use((file) => file.change(changes));
    else await share.change(fid.place.path, changes);
  }
  return { fields: new FieldWriter() };
};

const fileSystem: Handler = async ({ session, fields }) => {
  const { place } = session.fids.get(fields.u32());
  const facts =
    place.share === null
      ? { blockBytes: 4096, blocks: 0n, freeBlocks: 0n, availableBlocks: 0n, files: 0n, freeFiles: 0n }
      : await session.shareOf(place).facts();
  const writer = new FieldWriter()
    .u32(V9FS_MAGIC)
    .u32(facts.blockBytes)
    .u64(facts.blocks)
    .u64(facts.freeBlocks)
    .u64(facts.availableBlocks)
    .u64(facts.files)
    .u64(facts.freeFiles);
  return { fields: writer.u64(0).u32(NAME_MAX_BYTES) };
};

/** lopen: fid flags. */
const open: Handler = async ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  const flags = fields.u32();
  if (fid.flags !== null) throw new ShareError("EBADF");
  const attributes = await session.attributesAt(fid.place);
  const mode = openMode(flags);
  if (attributes.kind === "link") throw new ShareError("ELOOP");
  if (attributes.kind === "other") throw new ShareError("ENXIO");
  if (attributes.kind === "folder") {
    if (mode.write || mode.truncate) throw new ShareError("EISDIR");
  } else {
    if (flags & OPEN.DIRECTORY) throw new ShareError("ENOTDIR");
    const writes = mode.write || mode.truncate;
    const file = await session.open(fid, (share) => share.open(fid.place.path, mode), writes);
    // Two requests to open one fid: the second has lost.
    if (fid.file) {
      await file.close();
      throw new ShareError("EBADF");
    }
    fid.file = file;
  }
  fid.flags = flags;
  return { fields: writeQid(new FieldWriter(), attributes).u32(0) };
};

/** read: fid offset count. */
const read: Handler = async ({ session, fields, memory, dataRoom }) => {
  const fid = session.fids.get(fields.u32());
  const offset = fields.offset();
  const length = Math.min(fields.u32(), dataRoom(READ_ANSWER_BYTES));
  if (fid.flags !== null && !openMode(fid.flags).read) throw new ShareError("EBADF");
  const file = await session.fileOf(fid);
  const dataBytes =
    length <= 0 ? 0 : await file.use((each) => each.read(offset, memory.target(READ_ANSWER_BYTES, length).pieces));
  return { fields: new FieldWriter(READ_ANSWER_BYTES).u32(dataBytes), dataBytes };
};

/** Small ones: the time they take is the vCPU's. */
const readNow: ImmediateHandler = ({ session, fields, memory, dataRoom }) => {
  const { file, flags } = session.fids.get(fields.u32());
  const offset = fields.offset();
  const length = Math.min(fields.u32(), dataRoom(READ_ANSWER_BYTES));
  if (!file || !openMode(flags ?? 0).read || length <= 0 || length > NOW_MAX_BYTES) return undefined;
  const dataBytes = file.now((each) => each.readNow?.(offset, memory.target(READ_ANSWER_BYTES, length).pieces));
  return dataBytes === undefined ? undefined : { fields: new FieldWriter(READ_ANSWER_BYTES).u32(dataBytes), dataBytes };
};

const writeNow: ImmediateHandler = ({ session, fields, memory }) => {
  const { file, flags } = session.fids.get(fields.u32());
  const offset = fields.offset();
  const length = fields.u32();
  const isThere = length <= memory.messageBytes - WRITE_REQUEST_BYTES;
  if (!file || !isThere || !openMode(flags ?? 0).write || length === 0 || length > NOW_MAX_BYTES) return undefined;
  const written = file.now((each) => each.writeNow?.(offset, memory.source(WRITE_REQUEST_BYTES, length).pieces));
  return written === undefined ? undefined : { fields: new FieldWriter().u32(written) };
};

/** write: fid offset count data. */
const write: Handler = async ({ session, fields, memory }) => {
  const fid = session.fids.get(fields.u32());
  const offset = fields.offset();
  const length = fields.u32();
  if (length > memory.messageBytes - WRITE_REQUEST_BYTES) throw new ShareError("EPROTO");
  if (fid.flags !== null && !openMode(fid.flags).write) throw new ShareError("EBADF");
  const file = await session.fileOf(fid);
  const written =
    length === 0 ? 0 : await file.use((each) => each.write(offset, memory.source(WRITE_REQUEST_BYTES, length).pieces));
  return { fields: new FieldWriter().u32(written) };
};

/** readdir: fid offset count. An entry is qid offset:u64 type:u8 name; its offset is where the next one is asked for. */
const readFolder: Handler = async ({ session, fields, dataRoom }) => {
  const fid = session.fids.get(fields.u32());
  const offset = fields.offset();
  const room = Math.min(fields.u32(), dataRoom(READ_ANSWER_BYTES));
  if (fid.flags === null) throw new ShareError("EBADF");
  const entries = await entriesOf(session, fid, offset);
  const writer = new FieldWriter(Math.min(Math.max(room, 0), 1 << 16) + READ_ANSWER_BYTES).u32(0);
  const start = writer.length;
  for (let index = offset; index < entries.length; index++) {
    const { name, kind } = entries[index] as FolderEntry;
    const bytes = textBytes(name);
    if (writer.length - start + QID_BYTES + 11 + bytes.length > room) {
      // Not even one: an answer without entries would be the folder's end.
      if (index === offset) throw new ShareError("EINVAL");
      break;
    }
    writer.u8(kind === "folder" ? QID.FOLDER : kind === "link" ? QID.LINK : QID.FILE).u32(0);
    writer
      .u64(nameId(bytes))
      .u64(index + 1)
      .u8(ENTRY_TYPE[kind])
      .text(bytes);
  }
  writer.patchU32(HEADER_BYTES, writer.length - start);
  return { fields: writer };
};

/** As the folder was when its reading began. */
async function entriesOf(session: Session, fid: Fid, offset: number): Promise<readonly FolderEntry[]> {
  if (fid.listing && offset > 0) return fid.listing;
  const { share, path } = fid.place;
  const found: FolderEntry[] =
    share === null
      ? [...session.shares.keys()].map((name) => ({ name, kind: "folder" }))
      : await session.shareOf(fid.place).list(path);
  const entries: FolderEntry[] = [{ name: ".", kind: "folder" }, { name: "..", kind: "folder" }, ...found];
  session.fids.list(fid, entries);
  return entries;
}

/** Entries have a number of their own in lists, not the file's: asking the host for each file would take far longer than the list. */
function nameId(name: Uint8Array): bigint {
  let low = 0x811c_9dc5;
  let high = 0x0100_0193;
  for (const byte of name) {
    low = Math.imul(low ^ byte, 0x0100_0193);
    high = Math.imul(high ^ byte, 0x85eb_ca6b);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt((low | 1) >>> 0);
}

/** fsync: fid datasync. */
const sync: Handler = async ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  if (fid.flags === null) throw new ShareError("EBADF");
  const isFile = fid.file !== undefined || (await session.attributes(fid)).kind === "file";
  if (isFile) await (await session.fileOf(fid)).use((file) => file.sync());
  else if (fid.place.share !== null) await session.shareOf(fid.place).syncFolder(fid.place.path);
  return { fields: new FieldWriter() };
};

/** Locks hold among the processes of one guest, which its kernel sees to; beyond it there are none. */
const lock: Handler = async ({ session, fields }) => {
  session.fids.get(fields.u32());
  return { fields: new FieldWriter().u8(LOCK.SUCCESS) };
};

/** getlock: fid type start length proc_id client_id. */
const getLock: Handler = async ({ session, fields }): Promise<Answer> => {
  session.fids.get(fields.u32());
  fields.u8();
  const writer = new FieldWriter().u8(LOCK.UNLOCKED).u64(fields.u64()).u64(fields.u64()).u32(fields.u32());
  return { fields: writer.text(fields.text()) };
};

export const FILE_REQUESTS_NOW: readonly (readonly [number, ImmediateHandler])[] = [
  [T.GETATTR, getAttributesNow],
  [T.READ, readNow],
  [T.WRITE, writeNow],
];

const unsupported: Handler = () => Promise.reject(new ShareError("EOPNOTSUPP"));

export const FILE_REQUESTS: readonly (readonly [number, Handler])[] = [
  [T.GETATTR, getAttributes],
  [T.SETATTR, setAttributes],
  [T.STATFS, fileSystem],
  [T.LOPEN, open],
  [T.READ, read],
  [T.WRITE, write],
  [T.READDIR, readFolder],
  [T.FSYNC, sync],
  [T.LOCK, lock],
  [T.GETLOCK, getLock],
  [T.XATTRWALK, unsupported],
  [T.XATTRCREATE, unsupported],
  [T.AUTH, unsupported],
];
