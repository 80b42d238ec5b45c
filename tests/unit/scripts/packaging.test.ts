// What packages are made of: the icons' containers, and that nothing is left out which the packed app needs.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { routeOfFile } from "../../../main/desktop/requests.ts";
import { icns, ico } from "../../../scripts/setup/icon-files.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const builder = readFileSync(path.join(ROOT, "electron-builder.yml"), "utf8");

describe("icon files", () => {
  const small = Buffer.from("small");
  const large = Buffer.from("larger");

  it("hold PNGs where the directory of an ICO says", () => {
    const file = ico([
      [16, small],
      [256, large],
    ]);
    expect(file.readUInt16LE(4)).toBe(2);
    expect([file[6], file[22]]).toEqual([16, 0]);
    for (const [entry, png] of [small, large].entries()) {
      const offset = file.readUInt32LE(6 + 16 * entry + 12);
      expect(file.subarray(offset, offset + file.readUInt32LE(6 + 16 * entry + 8))).toEqual(png);
    }
  });

  it("name each size of an ICNS by its types, and leave out what macOS does not know", () => {
    const file = icns([
      [16, small],
      [128, small],
      [256, large],
    ]);
    expect(file.readUInt32BE(4)).toBe(file.length);
    const types: string[] = [];
    for (let at = 8; at < file.length; at += file.readUInt32BE(at + 4)) types.push(file.toString("latin1", at, at + 4));
    expect(types).toEqual(["ic07", "ic08", "ic13"]);
  });
});

/** Names in braces after `node_modules/`, which the packages go without. */
const leftOut = [...builder.matchAll(/!node_modules\/\{([^}]+)\}/g)].flatMap(([, names = ""]) => names.split(","));

const isLeftOut = (name: string) =>
  leftOut.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern));

/** Packages that a source below `folder` imports. */
function importedBelow(folder: string): Set<string> {
  const names = new Set<string>();
  for (const entry of readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const source = readFileSync(path.join(entry.parentPath, entry.name), "utf8");
    for (const [, name = ""] of source.matchAll(/^(?:import|export) (?!type\b)[^;]*?from "([^".][^"]*)"/gm)) {
      if (!name.startsWith("node:")) names.add(name.split("/")[0] ?? name);
    }
  }
  return names;
}

describe("a package", () => {
  it("has every package that the processes of the app import", () => {
    const imported = [...importedBelow("main"), ...importedBelow("native-core")];
    expect(imported).toContain("better-sqlite3");
    expect(imported.filter(isLeftOut)).toEqual([]);
    expect(isLeftOut("react-dom")).toBe(true);
  });

  it("opens the files that it announces", () => {
    const announced = [...builder.matchAll(/^ {2}- ext: (\w+)/gm)].map(([, extension]) => extension);
    expect(announced).toEqual(["terrarium", "ova", "vbox"]);
    for (const extension of announced) expect(routeOfFile(`/x/lab.${extension}`)).not.toBeNull();
  });

  it("is locked: Electron can't be turned into Node, and runs nothing but the packed app", () => {
    for (const fuse of ["runAsNode", "enableNodeOptionsEnvironmentVariable", "enableNodeCliInspectArguments"]) {
      expect(builder).toContain(`  ${fuse}: false\n`);
    }
    for (const fuse of ["onlyLoadAppFromAsar", "enableEmbeddedAsarIntegrityValidation"]) {
      expect(builder).toContain(`  ${fuse}: true\n`);
    }
  });
});
