// What `npm start` and `npm test` run first. Plain JavaScript for Node 18 and later: it runs before anything is installed.
// Installs the locked dependencies when they are missing or older than the lock file, then hands over to TypeScript under Node 24,
// which is one of those dependencies.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(project, "node_modules");
const stampFile = join(modules, ".terrarium-lock");

/** Runs `script` (a TypeScript file of scripts/) under the project's own Node, with these arguments, and exits as it does. */
export function handOver(script) {
  installDependencies();
  const node = join(modules, "node/bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(node))
    fail("Node 24 did not get installed with the dependencies", "delete node_modules and run the command again");
  const result = spawnSync(node, [join(project, "scripts", script), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${dirname(node)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH ?? ""}`,
    },
  });
  if (result.error)
    fail(`${node} could not be started (${result.error.message})`, "delete node_modules and run the command again");
  process.exit(result.status ?? 1);
}

function installDependencies() {
  const lock = createHash("sha256")
    .update(readFileSync(join(project, "package-lock.json")))
    .digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === lock) return;
  process.stderr.write("  Installing dependencies (once; about a minute) ...\n");
  const start = Date.now();
  const npm = process.env.npm_execpath;
  const command = npm ? process.execPath : "npm";
  const prefix = npm ? [npm] : [];
  // `install --no-save` instead of `ci`: it takes the locked versions as well, but does not insist that the lock file names the binaries
  // of every platform. Electron's own download is not needed here: it is looked for when the app starts.
  const result = spawnSync(
    command,
    [...prefix, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: project,
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ELECTRON_SKIP_BINARY_DOWNLOAD: "1" },
    },
  );
  if (result.error || result.status !== 0)
    fail(
      "the dependencies could not be installed",
      "check the network and npm's registry setting, then run the command again",
    );
  writeFileSync(stampFile, lock);
  process.stderr.write(`  Dependencies installed in ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
}

function fail(what, remedy) {
  process.stderr.write(`Terrarium: ${what}. Remedy: ${remedy}.\n`);
  process.exit(1);
}
