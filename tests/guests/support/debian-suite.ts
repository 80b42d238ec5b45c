// The packages of one Debian release for one architecture, those of the installer (`.udeb`) and the source packages included, whatever the
// host itself runs. apt fetches and verifies them from the host's own mirror, with lists and files in .cache.
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { aptConfiguration } from "../../../scripts/starter/packages.ts";
import { hostMirror } from "./debian-mirror.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../../.cache", import.meta.url));
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

export type Architecture = "amd64" | "i386";

export class DebianSuite {
  readonly codename: string;
  readonly architecture: Architecture;
  readonly #folder: string;

  private constructor(codename: string, architecture: Architecture) {
    this.codename = codename;
    this.architecture = architecture;
    this.#folder = join(CACHE, `apt-${codename}-${architecture}`);
  }

  /** With package lists as they are today: a mirror forgets what was replaced. */
  static async open(codename: string, architecture: Architecture): Promise<DebianSuite> {
    const suite = new DebianSuite(codename, architecture);
    await suite.#refreshLists();
    return suite;
  }

  /** What the package lists say of a package. */
  async record(name: string): Promise<string> {
    return (await this.#apt("apt-cache", ["show", "--no-all-versions", name])).trim();
  }

  /** A package as it is, fetched once. Yields its file. */
  async archive(name: string): Promise<string> {
    const [file] = await this.#fetched("packages", name, (folder) => this.#apt("apt-get", ["download", name], folder));
    if (file === undefined) throw new Error(`'apt-get download ${name}' left no package behind`);
    return file;
  }

  /** The files of a package, unpacked once. Yields the folder. */
  async unpacked(name: string): Promise<string> {
    const archive = await this.archive(name);
    const [folder] = await this.#fetched("unpacked", name, (into) =>
      run("dpkg-deb", ["-x", archive, join(into, "files")]),
    );
    return folder ?? "";
  }

  /** The source archive of one of Debian's own packages, unpacked once. Yields its folder. */
  async source(name: string): Promise<string> {
    const [folder] = await this.#fetched("sources", name, async (into) => {
      await this.#apt("apt-get", ["source", "--only-source", "--download-only", "--tar-only", name], into);
      for (const archive of await readdir(into)) {
        await run("tar", ["-xf", archive], { cwd: into });
        await rm(join(into, archive));
      }
    });
    if (folder === undefined) throw new Error(`'apt-get source ${name}' left nothing behind`);
    return folder;
  }

  /** What is in a folder that is complete or absent. */
  async #fetched(kind: string, name: string, fill: (folder: string) => Promise<unknown>): Promise<string[]> {
    const target = join(this.#folder, kind, name);
    const contents = async () => (await readdir(target)).map((each) => join(target, each));
    const done = await contents().catch(() => []);
    if (done.length > 0) return done;
    const filling = `${target}.tmp`;
    await rm(filling, { recursive: true, force: true });
    await mkdir(filling, { recursive: true });
    await fill(filling);
    await rename(filling, target);
    return contents();
  }

  async #refreshLists(): Promise<void> {
    const mirror = await hostMirror();
    const kinds = [`deb [arch=${this.architecture} signed-by=${KEYS}]`, `deb-src [signed-by=${KEYS}]`];
    const [binaries, sources] = kinds.map((kind) => `${kind} ${mirror} ${this.codename} main`);
    const list = join(this.#folder, "sources.list");
    await aptConfiguration(this.#folder, this.architecture, {
      "Dir::Etc::sourcelist": list,
      "Dir::Etc::sourceparts": "/dev/null",
    });
    await writeFile(list, `${binaries} main/debian-installer\n${sources}\n`);
    await this.#apt("apt-get", ["update", "-q"]);
  }

  async #apt(command: string, args: string[], cwd = this.#folder): Promise<string> {
    const env = { ...process.env, APT_CONFIG: join(this.#folder, "apt.conf") };
    return (await run(command, args, { cwd, env, maxBuffer: 1 << 26 })).stdout;
  }
}
