// One download: continued where it stopped (RFC 9110 14.2 Range, 13.1.5 If-Range), checked against its checksum as it arrives, and given its
// name only when it is whole.
//
//   NAME.part        what has arrived      NAME.part.json   where it comes from, and which version of it
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { moveIntoPlace } from "../../store/atomic-file.ts";
import { ioFailure } from "../../store/io-error.ts";
import { cancelled } from "../failures.ts";
import { freeBytes } from "../host/free-space.ts";
import type { Checksum } from "./checksums.ts";

export const PART_SUFFIX = ".part";
const STATE_SUFFIX = ".part.json";
/** Left free on the disk, which has other uses. */
const ROOM_LEFT_BYTES = 64 << 20;
const ATTEMPTS = 4;
const WORTHWHILE_BYTES = 1 << 20;
const CONSEQUENCE = "The download stopped; what has arrived is kept.";

export interface DownloadOptions {
  readonly url: string;
  /** Absolute; must not be there. */
  readonly target: string;
  readonly checksum: Checksum;
  readonly signal: AbortSignal;
  progress(share: number): void;
  readonly limits?: DownloadLimits;
}

export interface DownloadLimits {
  /** Without a byte for so long, the connection counts as cut. */
  readonly stallMs: number;
  /** Before a cut connection is made anew; doubled each time. */
  readonly retryMs: number;
  /** Bytes that may be written to a folder's disk. */
  freeBytes(folder: string): Promise<number>;
}

const DEFAULT_LIMITS: DownloadLimits = {
  stallMs: 30_000,
  retryMs: 500,
  freeBytes,
};

interface PartState {
  readonly url: string;
  /** A strong ETag or a date; without one a part can't be continued. */
  readonly validator: string | null;
}

/** The connection could not be made or was cut: another attempt may succeed. */
class CutConnection extends Error {}

/**
 * @throws AppError UNREACHABLE (what has arrived stays for the next time), CANCELLED (likewise), NOT_FOUND, NO_SPACE, or INVALID_FILE when the
 *   checksum is wrong (nothing stays)
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { target, signal, limits = DEFAULT_LIMITS } = options;
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(target + PART_SUFFIX);
    try {
      await attemptDownload(options, limits);
      return;
    } catch (error) {
      if (signal.aborted) throw cancelled(`The download of ${path.basename(target)}`);
      if (!(error instanceof CutConnection)) throw ioFailure(error, target, { consequence: CONSEQUENCE });
      // A server that sends a good piece each time is worth asking for as long as it does.
      if ((await sizeOf(target + PART_SUFFIX)) - before >= WORTHWHILE_BYTES) attempt = 0;
      if (attempt >= ATTEMPTS) throw unreachable(options.url, error.message);
    }
    await pause(limits.retryMs * 2 ** attempt, signal);
  }
}

/** A short text such as a list of checksums. @throws AppError UNREACHABLE, NOT_FOUND */
export async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await request(url, {}, AbortSignal.any([signal, AbortSignal.timeout(DEFAULT_LIMITS.stallMs)]));
    if (!response.ok) throw refused(url, response.status);
    return await response.text();
  } catch (error) {
    if (signal.aborted) throw cancelled("The download");
    throw isAppError(error) ? error : unreachable(url, reasonOf(error));
  }
}

async function attemptDownload(options: DownloadOptions, limits: DownloadLimits): Promise<void> {
  const { url, target, checksum } = options;
  const part = target + PART_SUFFIX;
  const state = await readState(target);
  const have = state?.url === url && state.validator !== null ? await sizeOf(part) : 0;
  const watchdog = new Watchdog(limits.stallMs);
  const signal = AbortSignal.any([options.signal, watchdog.signal]);
  try {
    const headers = have > 0 ? { Range: `bytes=${have}-`, "If-Range": state?.validator ?? "" } : {};
    const response = await request(url, headers, signal);
    // 416: nothing is missing, or the file there became shorter.
    if (response.status === 416) {
      await response.body?.cancel();
      const isWhole = rangeOf(response)?.total === have;
      if (!isWhole) await dropPart(target);
      if (!isWhole) throw new CutConnection("The file was changed meanwhile");
      return await finish(target, checksum, await hashOf(part, checksum, have));
    }
    if (!response.ok) throw refused(url, response.status);
    const range = response.status === 206 ? rangeOf(response) : undefined;
    const from = range?.from === have ? have : 0;
    if (response.status === 206 && range?.from !== have) throw new CutConnection("The server sent another part");
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    const total = range?.total ?? (Number.isFinite(length) ? length : null);
    await requireRoom(target, (total ?? 0) - from, limits);
    await writeFile(target + STATE_SUFFIX, JSON.stringify({ url, validator: validatorOf(response) }), { mode: 0o600 });
    const hash = await hashOf(part, checksum, from);
    const file = await open(part, from > 0 ? "r+" : "w", 0o600);
    try {
      const size = await receive(response, { ...{ file, from, total, hash, watchdog }, progress: options.progress });
      if (total !== null && size < total) throw new CutConnection("The connection was cut");
      await file.sync();
    } finally {
      await file.close();
    }
    await finish(target, checksum, hash);
  } catch (error) {
    if (isAppError(error) || error instanceof CutConnection) throw error;
    // File errors name their call; everything else here is the network.
    if (error instanceof Error && "syscall" in error && "path" in error) throw error;
    throw new CutConnection(watchdog.signal.aborted ? "Nothing arrived any more" : reasonOf(error));
  } finally {
    watchdog.stop();
  }
}

interface Receiving {
  readonly file: FileHandle;
  readonly from: number;
  readonly total: number | null;
  readonly hash: Hash;
  readonly watchdog: Watchdog;
  progress(share: number): void;
}

/** Yields the size of the part afterwards. */
async function receive(
  response: Response,
  { file, from, total, hash, watchdog, progress }: Receiving,
): Promise<number> {
  let at = from;
  await file.truncate(from);
  for await (const bytes of response.body ?? []) {
    watchdog.alive();
    for (let done = 0; done < bytes.length; ) done += await writeSome(file, bytes, done, at + done);
    hash.update(bytes);
    at += bytes.length;
    if (total !== null && total > 0) progress(at / total);
  }
  return at;
}

async function writeSome(file: FileHandle, bytes: Uint8Array, from: number, at: number): Promise<number> {
  try {
    return (await file.write(bytes, from, bytes.length - from, at)).bytesWritten;
  } catch (error) {
    throw ioFailure(error, "the folder of downloads", { consequence: CONSEQUENCE });
  }
}

async function finish(target: string, { hex }: Checksum, hash: Hash): Promise<void> {
  const found = hash.digest("hex");
  if (found !== hex) {
    await dropPart(target);
    throw new AppError("INVALID_FILE", `What was downloaded is not what was published: ${path.basename(target)}`, {
      file: target,
      consequence: `It was deleted: its checksum is ${found.slice(0, 16)}…, not ${hex.slice(0, 16)}….`,
      remedy: "Try again; if it happens again, get the file from the publisher's page in another way.",
    });
  }
  await moveIntoPlace(target + PART_SUFFIX, target);
  await rm(target + STATE_SUFFIX, { force: true });
}

/** Of the first `bytes` that have arrived. */
async function hashOf(part: string, { algorithm }: Checksum, bytes: number): Promise<Hash> {
  const hash = createHash(algorithm);
  if (bytes > 0) for await (const piece of createReadStream(part, { end: bytes - 1 })) hash.update(piece as Buffer);
  return hash;
}

export async function dropPart(target: string): Promise<void> {
  await rm(target + PART_SUFFIX, { force: true });
  await rm(target + STATE_SUFFIX, { force: true });
}

async function readState(target: string): Promise<PartState | null> {
  try {
    const state: unknown = JSON.parse(await readFile(target + STATE_SUFFIX, "utf8"));
    return typeof state === "object" && state !== null && "url" in state ? (state as PartState) : null;
  } catch {
    return null;
  }
}

function validatorOf({ headers }: Response): string | null {
  const etag = headers.get("etag");
  return etag !== null && !etag.startsWith("W/") ? etag : headers.get("last-modified");
}

/** Of `Content-Range: bytes FROM-TO/TOTAL`, or with a star where the answer has no part. */
function rangeOf({ headers }: Response): { readonly from: number; readonly total: number } | undefined {
  const found = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(headers.get("content-range") ?? "");
  return found ? { from: Number(found[1] ?? 0), total: Number(found[2]) } : undefined;
}

function request(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  // Compressed on the way, lengths and ranges would be those of other bytes.
  return fetch(url, { headers: { ...headers, "Accept-Encoding": "identity" }, signal });
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    (found) => found.size,
    () => 0,
  );

async function requireRoom(target: string, bytes: number, limits: DownloadLimits): Promise<void> {
  const free = await limits.freeBytes(path.dirname(target));
  if (bytes + ROOM_LEFT_BYTES <= free) return;
  const mib = (count: number): string => `${Math.ceil(count / (1 << 20))} MiB`;
  throw new AppError("NO_SPACE", `There is no room for ${path.basename(target)}`, {
    file: target,
    consequence: `Nothing more was downloaded: ${mib(bytes)} are missing, ${mib(free)} are free.`,
    remedy: "Free some space on that disk and try again; the download continues where it stopped.",
  });
}

function refused(url: string, status: number): AppError {
  const isGone = status === 404 || status === 410;
  return new AppError(isGone ? "NOT_FOUND" : "UNREACHABLE", `The publisher's server refused it (${status}): ${url}`, {
    file: url,
    consequence: "Nothing was downloaded.",
    remedy: "Try later, or get the disc from the publisher's page and choose the file by hand.",
  });
}

function unreachable(url: string, reason: string): AppError {
  return new AppError("UNREACHABLE", `The publisher can't be reached: ${new URL(url).host} (${reason})`, {
    file: url,
    consequence: CONSEQUENCE,
    remedy: "Connect to the internet and try again, or choose a file that you have already.",
  });
}

/** `fetch` wraps what happened in a "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return cause instanceof Error ? cause.message : String(cause);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Aborts when nothing happened for a while. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), stallMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
