// The layers of the project as data, and a checker that reads the imports of every source file (docs: architecture, "Layers and folders").
// tests/architecture runs it over the tree and proves with examples that it catches what it should.
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";

/** A box of the architecture: files below `path` may import the boxes in `uses` (and their own). The longest matching path wins. */
export interface Box {
  readonly path: string;
  readonly uses: readonly string[];
  /** npm packages (or `node:` for all of Node) that only these boxes may import; unlisted packages are free for all. */
  readonly packages?: readonly string[];
}

const NEUTRAL_CORE = ["native-core/common"];
/** How addresses, ranges and rules are written, which settings are checked by. */
const NETWORK_SYNTAX = [
  "native-core/network/addresses.ts",
  "native-core/network/firewall/rules.ts",
  "native-core/network/reach-policy.ts",
];
const EMULATOR = ["native-core/wasm", "native-core/ir", "native-core/x86", "native-core/cpu", "native-core/memory"];
const MACHINE = [
  "native-core/network",
  "native-core/devices",
  "native-core/display",
  "native-core/firmware",
  "native-core/machine",
  "native-core/debug",
];

export const BOXES: readonly Box[] = [
  { path: "native-core/common", uses: [] },
  { path: "native-core/config", uses: [...NEUTRAL_CORE, ...NETWORK_SYNTAX] },
  { path: "native-core/protocol", uses: [...NEUTRAL_CORE, "native-core/config"] },
  { path: "native-core/wasm", uses: NEUTRAL_CORE },
  { path: "native-core/ir", uses: [...NEUTRAL_CORE, "native-core/wasm"] },
  { path: "native-core/x86", uses: [...NEUTRAL_CORE, "native-core/ir"] },
  { path: "native-core/memory", uses: NEUTRAL_CORE },
  {
    path: "native-core/cpu",
    uses: [...NEUTRAL_CORE, "native-core/wasm", "native-core/ir", "native-core/x86", "native-core/memory"],
  },
  { path: "native-core/network", uses: NEUTRAL_CORE },
  { path: "native-core/devices", uses: [...NEUTRAL_CORE, "native-core/memory", "native-core/network"] },
  { path: "native-core/display", uses: [...NEUTRAL_CORE, "native-core/devices"] },
  { path: "native-core/media", uses: NEUTRAL_CORE },
  {
    path: "native-core/firmware",
    uses: [...NEUTRAL_CORE, "native-core/x86", "native-core/cpu", "native-core/memory", "native-core/devices"],
  },
  {
    path: "native-core/machine",
    uses: [...NEUTRAL_CORE, ...EMULATOR, ...MACHINE, "native-core/config", "native-core/media"],
  },
  { path: "native-core/debug", uses: [...NEUTRAL_CORE, ...EMULATOR, "native-core/machine"] },
  {
    path: "native-core/host",
    uses: [...NEUTRAL_CORE, ...EMULATOR, ...MACHINE, "native-core/config", "native-core/protocol", "native-core/media"],
    packages: ["node:"],
  },
  { path: "main/contract", uses: [...NEUTRAL_CORE, "native-core/config", "native-core/protocol"] },
  {
    path: "main/store",
    uses: [
      ...NEUTRAL_CORE,
      "native-core/config",
      "native-core/host/crypt/machine-key.ts",
      "native-core/host/process-life.ts",
      "main/contract",
    ],
    packages: ["node:", "better-sqlite3", "kysely"],
  },
  {
    path: "main",
    uses: [
      ...NEUTRAL_CORE,
      "native-core/config",
      "native-core/protocol",
      "native-core/media",
      "native-core/host/create-image.ts",
      "native-core/host/crypt/machine-key.ts",
      "native-core/host/crypt/sealed.ts",
      "native-core/host/node-image-file.ts",
      "native-core/host/media-host.ts",
      "native-core/host/process-life.ts",
      "native-core/host/shared-folders/browse.ts",
      "native-core/host/state/collect-garbage.ts",
      "native-core/host/state/compact-packs.ts",
      "native-core/host/state/format.ts",
      "native-core/host/state/recode-state.ts",
      "native-core/host/state/relocate-state.ts",
      "native-core/host/state/repair-sources.ts",
      "native-core/host/state/repair-state.ts",
      "native-core/host/state/state-folder.ts",
      "native-core/host/state/verify-state.ts",
      "native-core/host/up-to-date.ts",
      "main",
    ],
    packages: ["node:"],
  },
  ...["main/desktop", "main/preload", "main/index.ts"].map((path) => ({
    path,
    uses: [...NEUTRAL_CORE, "native-core/config", "native-core/protocol", "main"],
    packages: ["node:", "electron"],
  })),
  {
    path: "renderer",
    uses: [...NEUTRAL_CORE, ...NETWORK_SYNTAX, "native-core/config", "native-core/protocol", "main/contract"],
  },
];

/** Packages that exist only for the boxes that list them. */
const RESTRICTED = ["node:", "electron", "better-sqlite3", "kysely"];

export interface Violation {
  readonly file: string;
  readonly imported: string;
  readonly reason: string;
}

export function boxOf(path: string): Box | undefined {
  let best: Box | undefined;
  for (const box of BOXES) {
    const inside = path === box.path || path.startsWith(`${box.path}/`);
    if (inside && (!best || box.path.length > best.path.length)) best = box;
  }
  return best;
}

/** What one file imports, as written: static, re-exported, dynamic with a literal, and type imports alike. */
export function importsOf(path: string, source: string): string[] {
  const { module } = parseSync(path, source);
  const names = [
    ...module.staticImports.map((entry) => entry.moduleRequest.value),
    ...module.staticExports.flatMap((entry) =>
      entry.entries.flatMap((e) => (e.moduleRequest ? [e.moduleRequest.value] : [])),
    ),
    ...module.dynamicImports.flatMap((entry) => {
      const text = source.slice(entry.moduleRequest.start, entry.moduleRequest.end);
      return /^["'`][^$]*["'`]$/.test(text) ? [text.slice(1, -1)] : [];
    }),
  ];
  return [...new Set(names)];
}

/** Violations of one file. `path` is relative to the project with forward slashes. */
export function checkFile(path: string, source: string): Violation[] {
  const box = boxOf(path);
  if (!box) return [];
  const violations: Violation[] = [];
  for (const imported of importsOf(path, source)) {
    const reason = imported.startsWith(".") ? relativeViolation(path, box, imported) : packageViolation(box, imported);
    if (reason) violations.push({ file: path, imported, reason });
  }
  return violations;
}

function relativeViolation(path: string, box: Box, imported: string): string | undefined {
  const target = normalize(join(dirname(path), imported))
    .split(sep)
    .join("/");
  const targetBox = boxOf(target);
  if (!targetBox) return target.startsWith("resources/") ? undefined : `${target} is outside the layers`;
  if (targetBox === box) return undefined;
  const allowed = box.uses.some((use) => target === use || target.startsWith(`${use}/`) || targetBox.path === use);
  return allowed ? undefined : `${box.path} may not use ${targetBox.path}`;
}

function packageViolation(box: Box, imported: string): string | undefined {
  const restricted = RESTRICTED.find((name) =>
    name.endsWith(":") ? imported.startsWith(name) : imported === name || imported.startsWith(`${name}/`),
  );
  if (!restricted || box.packages?.includes(restricted)) return undefined;
  return `${box.path} may not use ${imported}`;
}

/** All violations in the tree below `project`. */
export async function checkTree(project: string): Promise<{ violations: Violation[]; files: number }> {
  const violations: Violation[] = [];
  let files = 0;
  for (const top of ["native-core", "main", "renderer"]) {
    for (const entry of await readdir(join(project, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name) || entry.name.endsWith(".d.ts")) continue;
      const file = join(entry.parentPath, entry.name);
      const path = relative(project, file).split(sep).join("/");
      files++;
      violations.push(...checkFile(path, await readFile(file, "utf8")));
    }
  }
  return { violations, files };
}
