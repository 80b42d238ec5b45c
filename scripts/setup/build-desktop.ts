// Makes out/desktop, what Electron runs: the sources of main and native-core as plain JavaScript in the same folders (Electron's Node may
// have no type stripping), the preload as one CommonJS file (sandboxed ones can't be modules), and what these find beside them.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, transformWithOxc } from "vite";
import { PROJECT } from "./project.ts";

export const DESKTOP_FOLDER = join(PROJECT, "out/desktop");

export async function buildDesktop(): Promise<void> {
  await rm(DESKTOP_FOLDER, { recursive: true, force: true });
  for (const tree of ["main", "native-core"]) await translateTree(join(PROJECT, tree));
  await bundlePreload();
  for (const made of ["out/core", "out/renderer", "resources/icons", "resources/catalogue"]) {
    await cp(join(PROJECT, made), join(DESKTOP_FOLDER, made), { recursive: true });
  }
  const { name, productName, version } = JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as Record<
    string,
    string
  >;
  const description = { name, productName, version, type: "module", main: "main/index.js" };
  await writeFile(join(DESKTOP_FOLDER, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
}

async function translateTree(tree: string): Promise<void> {
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name.endsWith(".d.ts")) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(DESKTOP_FOLDER, relative(PROJECT, source)).replace(/\.ts$/, ".js");
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await translate(entry.name, await readFile(source, "utf8")));
  }
}

/** Every relative name of a module ends in `.ts`, in imports and in `new URL(...)` alike. */
async function translate(name: string, source: string): Promise<string> {
  const options = { target: "es2024", typescript: { onlyRemoveTypeImports: true }, sourcemap: false } as const;
  const { code } = await transformWithOxc(source, name, options);
  return code.replaceAll(/(["'])(\.{1,2}\/[\w./-]+)\.ts\1/g, "$1$2.js$1");
}

async function bundlePreload(): Promise<void> {
  await build({
    configFile: false,
    root: PROJECT,
    logLevel: "error",
    build: {
      lib: { entry: join(PROJECT, "main/preload/preload.ts"), formats: ["cjs"], fileName: () => "preload.cjs" },
      outDir: join(DESKTOP_FOLDER, "main/preload"),
      emptyOutDir: false,
      minify: false,
      target: "es2024",
      rolldownOptions: { external: ["electron"] },
    },
  });
}
