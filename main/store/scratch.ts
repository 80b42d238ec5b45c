// A folder for what is made on the way, gone when the work is.
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { withIoFailures } from "./io-error.ts";

/** `parent` exists. @throws AppError naming it when nothing can be made there */
export async function inScratch<T>(parent: string, work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await withIoFailures(parent, { field: "file", consequence: "Nothing was done." }, () =>
    mkdtemp(path.join(parent, ".terrarium-")),
  );
  try {
    return await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
