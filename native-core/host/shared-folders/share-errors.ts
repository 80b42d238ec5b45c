// Failures of the host's file system as a guest may hear of them: a number of Linux's, never a path.
import { ERRNO, ShareError } from "../../devices/virtio/p9/file-share.ts";

/** Node's names that Linux has another one for. */
const SYNONYMS: Readonly<Record<string, keyof typeof ERRNO>> = { ENOTSUP: "EOPNOTSUPP", ENOSYS: "EOPNOTSUPP" };

export function shareError(error: unknown): ShareError {
  if (error instanceof ShareError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new ShareError(code in ERRNO ? (code as keyof typeof ERRNO) : (SYNONYMS[code] ?? "EIO"));
}

type NodeCallback<T> = (error: Error | null, value: T) => void;

/** A call of node:fs with a callback, as a promise that rejects with ShareError: half the overhead of node:fs/promises. */
export function hostCall<T>(call: (done: NodeCallback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(shareError(error)) : resolve(value)));
  });
}
