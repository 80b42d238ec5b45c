// Opens the SQLite database: settings, migrations, and what happens when the file is damaged or from a newer version.
import { existsSync, renameSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { AppError } from "../../native-core/common/errors.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import type { StoreTables } from "./schema.ts";

export interface OpenedDatabase {
  readonly database: Kysely<StoreTables>;
  /** Where the damaged file went, if it had to be replaced. */
  readonly movedAside: string | null;
}

/**
 * Opens `file`, making or migrating it as needed. A damaged file is moved aside, never deleted, and an empty one takes its place.
 * @throws AppError PERMISSION_DENIED when it can't be read at all, VERSION_MISMATCH when a newer Terrarium wrote it.
 */
export async function openDatabase(file: string): Promise<OpenedDatabase> {
  let movedAside: string | null = null;
  let sqlite = tryOpen(file);
  if (sqlite === null) {
    movedAside = moveAside(file);
    sqlite = tryOpen(file);
    if (sqlite === null) throw new AppError("CORRUPT_STORE", `A new database can't be made at ${file}`, { file });
  }
  const database = new Kysely<StoreTables>({ dialect: new SqliteDialect({ database: sqlite }) });
  try {
    await migrate(database, MIGRATIONS, file);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return { database, movedAside };
}

/** Null when the file is there but is not a sound database. */
function tryOpen(file: string): Sqlite.Database | null {
  let sqlite: Sqlite.Database | undefined;
  try {
    sqlite = new Sqlite(file);
    sqlite.pragma("journal_mode = WAL");
    // FULL: a transaction that was acknowledged survives a power failure, not only a crash of the app.
    sqlite.pragma("synchronous = FULL");
    sqlite.pragma("foreign_keys = ON");
    const check: unknown = sqlite.pragma("quick_check(1)", { simple: true });
    if (check === "ok") return sqlite;
    sqlite.close();
    return null;
  } catch (error) {
    sqlite?.close();
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code.startsWith("SQLITE_NOTADB") || code.startsWith("SQLITE_CORRUPT")) return null;
    throw new AppError(
      "PERMISSION_DENIED",
      `The database can't be opened: ${file}`,
      {
        file,
        consequence: "Terrarium does not start; your machines are untouched.",
        remedy: "Make the file and its folder readable and writable for you.",
      },
      { cause: error },
    );
  }
}

function moveAside(file: string): string {
  const target = `${file}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(file + suffix)) renameSync(file + suffix, target + suffix);
  }
  return target;
}

/** Applies what is missing of `migrations`. Exported for the tests, which stop half-way. */
export async function migrate(
  database: Kysely<StoreTables>,
  migrations: Readonly<Record<string, Migration>>,
  file: string,
): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => ({ ...migrations }) } });
  const applied = await migrator.getMigrations().catch(() => []);
  const known = new Set(Object.keys(migrations));
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw new AppError(
    "VERSION_MISMATCH",
    `The database was written by another version of Terrarium: ${file}`,
    {
      file,
      consequence: "Terrarium does not start; your machines are untouched.",
      remedy: `Use the newer version again, or move ${file} away: the list is then rebuilt from the machine folders.`,
    },
    { cause: { error, applied: applied.map((each) => each.name), known: [...known] } },
  );
}
