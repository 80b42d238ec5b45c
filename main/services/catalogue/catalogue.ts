// The catalogue of operating systems: what discs are recognized as, what a machine for them gets, and where discs come from. Its files
// are JSON in resources/catalogue, or in the folder that TERRARIUM_CATALOGUE names.
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../../native-core/common/errors.ts";
import { type CatalogueRelease, type CatalogueSystem, catalogueSchema } from "../../contract/catalogue.ts";

const BUILT_IN = fileURLToPath(new URL("../../../resources/catalogue/", import.meta.url));

const known = new Map<string, Promise<readonly CatalogueSystem[]>>();

/** All systems, in the order in which they are tried. Read once per folder. @throws AppError naming file and field */
export function catalogueSystems(): Promise<readonly CatalogueSystem[]> {
  const folder = process.env["TERRARIUM_CATALOGUE"] || BUILT_IN;
  let systems = known.get(folder);
  if (systems === undefined) {
    systems = readCatalogue(folder);
    known.set(folder, systems);
    // A catalogue that was mended is read again.
    systems.catch(() => known.delete(folder));
  }
  return systems;
}

/** The files of a folder, one after the other by their names. */
export async function readCatalogue(folder: string): Promise<CatalogueSystem[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  const systems: CatalogueSystem[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    systems.push(...parse(file, await readFile(file, "utf8")));
  }
  return systems;
}

function parse(file: string, text: string): CatalogueSystem[] {
  const refuse = (problem: string, field?: string, cause?: unknown) =>
    new AppError(
      "INVALID_FILE",
      `The catalogue of operating systems can't be used: ${problem}`,
      {
        ...{ file, consequence: "No systems are recognized or offered.", remedy: "Mend or remove the named file." },
        ...(field !== undefined && { field }),
      },
      { cause },
    );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw refuse("it is not JSON", undefined, error);
  }
  const parsed = catalogueSchema.safeParse(content);
  if (parsed.success) return parsed.data.systems;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw refuse(`${field}: ${issue?.message}`, field);
}

/** What a disc with this label and file name is. */
export async function recognize(label: string, fileName: string): Promise<CatalogueSystem | undefined> {
  const systems = await catalogueSystems();
  return systems.find(({ recognize: pattern }) => new RegExp(pattern, "i").test(`${label} ${fileName}`));
}

/** @throws AppError NOT_FOUND */
export async function releaseById(id: string): Promise<CatalogueRelease> {
  const releases = (await catalogueSystems()).flatMap((system) => system.releases);
  const found = releases.find((release) => release.id === id);
  if (found) return found;
  throw new AppError("NOT_FOUND", `The catalogue has no "${id}"`, {
    field: "releaseId",
    consequence: "Nothing was downloaded.",
    remedy: "`terrarium catalogue list` shows what there is.",
  });
}
