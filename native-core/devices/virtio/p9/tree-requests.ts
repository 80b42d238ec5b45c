// Requests about places in the tree: attaching, walking, and everything that makes, moves and removes entries.
import { Fid, type Place } from "./fids.ts";
import { type FileAttributes, type FileShare, ShareError } from "./file-share.ts";
import { childOf } from "./names.ts";
import { MODE_KIND, NAMES_PER_WALK, NO_UID, OPEN, PATH_MAX_BYTES, T, UNLINK_FOLDER } from "./protocol.ts";
import type { Answer, Handler, ImmediateHandler, Request } from "./request.ts";
import { openMode, type Session, writeQid } from "./session.ts";
import { FieldWriter, textBytes } from "./wire.ts";

const done = (): Answer => ({ fields: new FieldWriter() });
const withQid = (attributes: FileAttributes): Answer => ({ fields: writeQid(new FieldWriter(), attributes) });

/** attach: fid afid uname aname n_uname. */
const attach: Handler = async ({ session, fields }) => {
  const number = fields.u32();
  fields.u32();
  fields.text();
  const name = fields.text().replace(/^\/+/, "");
  const user = fields.u32();
  const place: Place = { share: name === "" ? null : name, path: [] };
  if (place.share !== null && !session.shares.has(place.share)) throw new ShareError("ENOENT");
  session.fids.reserve(number);
  let fid: Fid | undefined;
  try {
    const attributes = await session.attributesAt(place);
    fid = new Fid(place, place.share !== null, user === NO_UID ? 0 : user);
    return withQid(attributes);
  } finally {
    session.fids.settle(number, fid);
  }
};

/** walk: fid newfid nwname names. */
function walkOf({ session, fields }: Request) {
  const from = fields.u32();
  const to = fields.u32();
  const names = Array.from({ length: Math.min(fields.u16(), NAMES_PER_WALK + 1) }, () => fields.text());
  if (names.length > NAMES_PER_WALK) throw new ShareError("EINVAL");
  const start = session.fids.get(from);
  if (start.flags !== null && from === to) throw new ShareError("EBUSY");
  return { session, from, to, names, start };
}

const walk: Handler = async (request) => {
  const { session, from, to, names, start } = walkOf(request);
  if (from !== to) session.fids.reserve(to);
  let fid: Fid | undefined;
  try {
    const { place, found } = await follow(session, start, names);
    if (found.length === names.length) {
      fid = new Fid(place, start.confined, start.uid);
      if (from === to) start.place = place;
    }
    return foundOnTheWay(found);
  } finally {
    if (from !== to) session.fids.settle(to, fid);
  }
};

/** One step, as drivers take them mostly, or none. */
const walkNow: ImmediateHandler = (request) => {
  const { session, from, to, names, start } = walkOf(request);
  if (from === to || names.length > 1) return undefined;
  const [name] = names;
  const place = name === undefined ? start.place : step(session, start.place, name, start.confined);
  const attributes = name === undefined ? undefined : session.attributesNow(place);
  if (name !== undefined && attributes === undefined) return undefined;
  session.fids.reserve(to);
  session.fids.settle(to, new Fid(place, start.confined, start.uid));
  return foundOnTheWay(attributes ? [attributes] : []);
};

function foundOnTheWay(found: readonly FileAttributes[]): Answer {
  const writer = new FieldWriter().u16(found.length);
  for (const attributes of found) writeQid(writer, attributes);
  return { fields: writer };
}

/** Goes as far as there are entries; rejects where there is not even the first. */
async function follow(session: Session, fid: Fid, names: readonly string[]) {
  let { place } = fid;
  const found: FileAttributes[] = [];
  try {
    for (const name of names) {
      if (found.at(-1) && found.at(-1)?.kind !== "folder") throw new ShareError("ENOTDIR");
      place = step(session, place, name, fid.confined);
      found.push(await session.attributesAt(place));
    }
  } catch (error) {
    if (found.length === 0) throw error;
  }
  return { place, found };
}

function step(session: Session, place: Place, name: string, confined: boolean): Place {
  if (name === ".") return place;
  const { share, path } = place;
  if (name === "..") {
    if (path.length > 0) return { share, path: path.slice(0, -1) };
    return confined ? place : { share: null, path: [] };
  }
  if (share !== null) return { share, path: childOf(path, name) };
  if (!session.shares.has(name)) throw new ShareError("ENOENT");
  return { share: name, path: [] };
}

/** lcreate: fid name flags mode gid; the fid of the folder becomes that of the open file. */
const create: Handler = async ({ session, fields }) => {
  const fid = session.fids.get(fields.u32());
  if (fid.flags !== null) throw new ShareError("EBADF");
  const path = childOf(fid.place.path, fields.text());
  const flags = fields.u32();
  const permissions = fields.u32() & 0o777;
  const exclusive = (flags & OPEN.EXCLUSIVE) !== 0;
  const file = await session.open(fid, (share) => share.create(path, openMode(flags), permissions, exclusive), true);
  fid.place = { share: fid.place.share, path };
  fid.flags = flags;
  fid.file = file;
  const answer = withQid(await file.attributes());
  answer.fields.u32(0);
  return answer;
};

/** mkdir: dfid name mode gid. */
const makeFolder: Handler = async ({ session, fields }) => {
  const { share, path } = target(session, fields.u32(), fields.text());
  await share.makeFolder(path, fields.u32() & 0o777);
  return withQid(await share.attributes(path));
};

/** symlink: dfid name text gid. */
const makeLink: Handler = async ({ session, fields }) => {
  const { share, path } = target(session, fields.u32(), fields.text());
  const text = fields.text();
  if (text === "" || text.includes("\0")) throw new ShareError("EINVAL");
  if (textBytes(text).length >= PATH_MAX_BYTES) throw new ShareError("ENAMETOOLONG");
  await share.makeLink(path, text);
  return withQid(await share.attributes(path));
};

/** mknod: dfid name mode major minor gid. A file; devices, pipes and sockets are nothing to share. */
const makeNode: Handler = async ({ session, fields }) => {
  const { share, path } = target(session, fields.u32(), fields.text());
  const mode = fields.u32();
  const kind = mode & MODE_KIND.mask;
  if (kind !== 0 && kind !== MODE_KIND.file) throw new ShareError("EPERM");
  const file = await share.create(path, openMode(1), mode & 0o777, true);
  await file.close();
  return withQid(await share.attributes(path));
};

const readLink: Handler = async ({ session, fields }) => {
  const { place } = session.fids.get(fields.u32());
  if (place.share === null) throw new ShareError("EINVAL");
  const text = await session.shareOf(place).readLink(place.path);
  return { fields: new FieldWriter(text.length + 16).text(text) };
};

/** link: dfid fid name. */
const hardLink: Handler = async ({ session, fields }) => {
  const folder = fields.u32();
  const existing = session.fids.get(fields.u32()).place;
  const { share, path } = target(session, folder, fields.text());
  if (session.shareOf(existing) !== share) throw new ShareError("EXDEV");
  await share.hardLink(existing.path, path);
  return done();
};

/** renameat: olddirfid oldname newdirfid newname. */
const renameAt: Handler = async ({ session, fields }) => {
  const from = session.fids.get(fields.u32()).place;
  const fromName = fields.text();
  const to = session.fids.get(fields.u32()).place;
  const toName = fields.text();
  return rename(session, { ...from, path: childOf(from.path, fromName) }, { ...to, path: childOf(to.path, toName) });
};

/** rename: fid dfid name. */
const renameFid: Handler = async ({ session, fields }) => {
  const from = session.fids.get(fields.u32()).place;
  const to = session.fids.get(fields.u32()).place;
  return rename(session, from, { ...to, path: childOf(to.path, fields.text()) });
};

async function rename(session: Session, from: Place, to: Place): Promise<Answer> {
  const share = session.writableShareOf(from);
  if (session.writableShareOf(to) !== share) throw new ShareError("EXDEV");
  if (from.path.length === 0) throw new ShareError("EBUSY");
  await share.rename(from.path, to.path);
  session.fids.renamed(from, to);
  return done();
}

/** unlinkat: dirfid name flags. */
const unlinkAt: Handler = async ({ session, fields }) => {
  const { share, path } = target(session, fields.u32(), fields.text());
  await share.remove(path, (fields.u32() & UNLINK_FOLDER) !== 0);
  return done();
};

/** The fid is gone, whether its file could be removed or not. */
const removeFid: Handler = async ({ session, fields }) => {
  const fid = session.fids.remove(fields.u32());
  await fid.release();
  const { place } = fid;
  const share = session.writableShareOf(place);
  if (place.path.length === 0) throw new ShareError("EBUSY");
  const { kind } = await share.attributes(place.path);
  await share.remove(place.path, kind === "folder");
  return done();
};

const clunk: Handler = async ({ session, fields }) => {
  await session.fids.remove(fields.u32()).release();
  return done();
};

const clunkNow: ImmediateHandler = ({ session, fields }) => {
  const number = fields.u32();
  if (session.fids.get(number).file) return undefined;
  void session.fids.remove(number).release();
  return done();
};

/** An entry to be made or removed: the folder may be changed. */
function target(session: Session, folder: number, name: string): { share: FileShare; path: readonly string[] } {
  const { place } = session.fids.get(folder);
  const share = session.writableShareOf(place);
  return { share, path: childOf(place.path, name) };
}

export const TREE_REQUESTS_NOW: readonly (readonly [number, ImmediateHandler])[] = [
  [T.WALK, walkNow],
  [T.CLUNK, clunkNow],
];

export const TREE_REQUESTS: readonly (readonly [number, Handler])[] = [
  [T.ATTACH, attach],
  [T.WALK, walk],
  [T.LCREATE, create],
  [T.MKDIR, makeFolder],
  [T.SYMLINK, makeLink],
  [T.MKNOD, makeNode],
  [T.READLINK, readLink],
  [T.LINK, hardLink],
  [T.RENAMEAT, renameAt],
  [T.RENAME, renameFid],
  [T.UNLINKAT, unlinkAt],
  [T.REMOVE, removeFid],
  [T.CLUNK, clunk],
];
