// Finds kernel modules and everything they depend on, in the order in which they must be loaded.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface KernelModule {
  /** File name without `.ko`. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** Modules that the kernel has built in are not there and not needed: unknown names are left out. */
export async function modulesInLoadOrder(folder: string, names: readonly string[]): Promise<KernelModule[]> {
  // `depends=` names modules with underscores, whatever their file is called.
  const paths = new Map<string, string>();
  for (const path of await readdir(folder, { recursive: true })) {
    if (path.endsWith(".ko")) paths.set(canonicalName(path.slice(path.lastIndexOf("/") + 1, -3)), path);
  }
  const ordered: KernelModule[] = [];
  const seen = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    const path = paths.get(name);
    if (!path || seen.has(name)) return;
    seen.add(name);
    const data = await readFile(join(folder, path));
    for (const dependency of dependenciesOf(data)) await visit(dependency);
    ordered.push({ name: path.slice(path.lastIndexOf("/") + 1, -3), data });
  };
  for (const name of names) await visit(canonicalName(name));
  return ordered;
}

const canonicalName = (name: string): string => name.replaceAll("-", "_");

/** The `depends=` entry of the module's .modinfo section: NUL-terminated strings. */
function dependenciesOf(module: Buffer): string[] {
  const start = module.indexOf("\0depends=", 0, "latin1");
  if (start < 0) return [];
  const list = module.subarray(start + 9, module.indexOf(0, start + 9)).toString("latin1");
  return list ? list.split(",").map(canonicalName) : [];
}
