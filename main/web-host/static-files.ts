// Serves the built renderer: only files below its folder, with types from a closed list.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

/** The answer for `urlPath`, or null when there is no such file. */
export async function staticFile(folder: string, urlPath: string, withBody: boolean): Promise<Response | null> {
  const relative = safePath(urlPath);
  if (relative === null) return null;
  const type = TYPES[path.extname(relative)];
  if (type === undefined) return null;
  const file = path.join(folder, relative);
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return null;
  // A link inside the folder must not lead out of it.
  const [real, root] = await Promise.all([realpath(file), realpath(folder)]);
  if (!real.startsWith(root + path.sep)) return null;
  const headers = {
    "Content-Type": type,
    "Content-Length": String(found.size),
    // Vite puts a hash of the content into the names below assets/.
    "Cache-Control": relative.startsWith(`assets${path.sep}`) ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (!withBody) return new Response(null, { headers });
  return new Response(Readable.toWeb(createReadStream(real)) as ReadableStream, { headers });
}

function safePath(urlPath: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return null;
  }
  if (decoded.includes("\0") || decoded.includes("\\")) return null;
  const parts = decoded.split("/").filter((part) => part !== "");
  if (parts.some((part) => part.startsWith("."))) return null;
  return parts.length === 0 ? "index.html" : path.join(...parts);
}
