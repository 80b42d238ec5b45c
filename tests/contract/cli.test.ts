// The command line as a script uses it: its own process each time, answers in JSON, failures as exit codes and explanations.
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive } from "../../main/cli/host-process.ts";
import { kernelBytes, makeStarter, temporaryFolder } from "../support/test-app.ts";
import { waitUntil } from "../support/wait-until.ts";

const CLI = fileURLToPath(new URL("../../main/cli/terrarium.ts", import.meta.url));
const SERVER = fileURLToPath(new URL("../../main/server.ts", import.meta.url));

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let home: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  home = path.join(folder, "home");
  await makeStarter(folder);
  await writeFile(path.join(folder, "vmlinuz"), kernelBytes());
});

afterAll(async () => {
  await terrarium("host", "stop", "--power-off");
  await rm(folder, { recursive: true });
});

function terrarium(...args: string[]): Promise<Result> {
  const env = { ...process.env, TERRARIUM_RESOURCES: path.join(folder, "starter") };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, "--home", home, ...args], { env, cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await terrarium("--json", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

function control(): { pid: number; token: string } {
  return JSON.parse(readFileSync(path.join(home, "run", "host.json"), "utf8"));
}

describe("the command line", { timeout: 60_000 }, () => {
  it("starts a host in the background when it needs one, and finds it again", async () => {
    expect(await json("host", "status")).toMatchObject({ running: false });
    expect(await json("list")).toEqual([]);
    const { pid } = control();
    expect(await json("host", "status")).toMatchObject({ running: true, pid, starterAvailable: true });
    expect(await json("host", "start")).toMatchObject({ running: true, pid });
  });

  it("keeps the host's token to this user", () => {
    expect(statSync(path.join(home, "run", "host.json")).mode & 0o077).toBe(0);
    expect(statSync(home).mode & 0o077).toBe(0);
  });

  it("creates, configures, shows, clones and removes machines", async () => {
    expect(await json("create", "one", "--starter", "--memory", "128M", "--cpus", "2")).toMatchObject({
      name: "one",
      config: { memoryMiB: 128, cpuCount: 2 },
    });
    const hardware = ["--chipset", "q35", "--disk-bus", "scsi", "--adapter", "rtl8139"];
    const custom = await json(
      "create",
      "two",
      "--kernel",
      "vmlinuz",
      "--cmdline",
      "quiet",
      "--disk",
      "16M",
      ...hardware,
    );
    expect(custom).toMatchObject({
      config: {
        boot: { kernel: path.join(folder, "vmlinuz"), commandLine: "quiet" },
        ...{ chipset: "q35", disks: [{ bus: "scsi" }], adapters: [{ model: "rtl8139" }] },
      },
    });
    expect(await json("set", "two", "memoryMiB=1G", "description=for tests")).toMatchObject({
      config: { memoryMiB: 1024, description: "for tests" },
    });
    expect((await terrarium("show", "two")).stdout).toMatch(/^memoryMiB +1024$/m);
    expect((await terrarium("list")).stdout).toMatch(/powered-off +one\n/);
    expect(await json("clone", "one", "three")).toMatchObject({ name: "three" });
    expect(await json("clone", "one", "worker", "--linked", "--count", "2")).toMatchObject([
      { name: "worker 1", origin: { kind: "linked" } },
      { name: "worker 2" },
    ]);
    expect(await json("template", "worker 1")).toMatchObject({ template: true });
    expect((await terrarium("start", "worker 1")).code).toBe(5);
    expect(await json("template", "worker 1", "--off")).toMatchObject({ template: false });
    for (const name of ["worker 1", "worker 2"]) await json("remove", name, "--permanently");
    expect((await terrarium("fork", "one")).stderr).toContain("powered off");
    expect((await terrarium("resize", "two", "disk0", "32M")).code).toBe(0);
    expect((await terrarium("space", "two")).stdout).toMatch(/guest sees them +32 MiB/);
    expect(await json("reclaim", "one")).toEqual({ freedBytes: expect.any(Number) });
    const removed = await json("remove", "three");
    expect(await json("remove", "--undo", String(removed["id"]))).toMatchObject({ name: "three" });
    await json("remove", "three");
    expect(await json("remove", "--undo", "three")).toMatchObject({ name: "three" });
    expect((await terrarium("remove", "--undo", "three")).stderr).toContain("in the trash");
    await json("remove", "three");
    expect((await terrarium("trash", "list")).stdout).toMatch(/ three\n$/);
    expect(await json("trash", "delete", "three")).toEqual({ freedBytes: expect.any(Number) });
    expect((await terrarium("trash", "delete", "three")).code).toBe(3);
    expect(await json("trash", "empty")).toEqual({ freedBytes: expect.any(Number) });
    expect(await json("trash", "list")).toEqual([]);
  });

  it("takes, lists, renames, restores and deletes snapshots", async () => {
    await json("snapshot", "take", "one", "--name", "first", "--description", "notes");
    await json("snapshot", "rename", "one", "first", "renamed");
    expect(await json("snapshot", "pin", "one", "renamed")).toMatchObject({ pinned: true });
    expect((await terrarium("snapshot", "list", "one", "--search", "NOTES")).stdout).toContain(
      "renamed  (current)  (pinned)",
    );
    expect(await json("snapshot", "list", "one", "--search", "nothing")).toMatchObject({ snapshots: [] });
    expect(await json("snapshot", "unpin", "one", "renamed")).toMatchObject({ pinned: false });
    expect(await json("snapshot", "prune", "one", "--dry-run")).toEqual([]);
    expect(await json("snapshot", "describe", "one", "renamed", "notes")).toMatchObject({ description: "notes" });
    expect(await json("snapshot", "diff", "one", "renamed")).toMatchObject({
      settings: [],
      disks: [{ diskId: "disk0" }],
    });
    const missing = await terrarium("snapshot", "get", "one", "renamed", "/etc/passwd");
    expect([missing.code, existsSync(path.join(folder, "passwd"))]).toEqual([3, false]);
    expect((await terrarium("snapshot", "delete", "one", "renamed", "--dry-run")).stdout).toContain("Would free");
    expect(await json("snapshot", "list", "one")).toMatchObject({
      snapshots: [{ name: "renamed", description: "notes" }],
    });
    expect((await terrarium("snapshot", "list", "one")).stdout).toContain("renamed  (current)");
    expect(await json("snapshot", "restore", "one", "renamed", "--keep-current")).toMatchObject({
      state: "powered-off",
    });
    const { undo } = (await json("snapshot", "delete", "one", "renamed")) as { undo: { name: string } };
    expect(await json("snapshot", "list", "one")).toMatchObject({ snapshots: [{ name: "Before restoring renamed" }] });
    expect(await json("snapshot", "undelete", "one", "renamed")).toMatchObject({ name: "renamed" });
    await json("snapshot", "delete", "one", "renamed");
    expect(await json("trash", "restore", undo.name)).toMatchObject({ name: "one" });
    expect(await json("snapshot", "delete", "one", "renamed", "--permanently")).toMatchObject({ undo: null });
    expect((await terrarium("snapshot", "undelete", "one", "renamed")).code).toBe(3);
  });

  it("backs machines up, restores, verifies, exports and imports them", async () => {
    const made = await json("backup", "create", "one", "backups");
    expect(made).toMatchObject({ machineName: "one" });
    expect((await terrarium("backup", "list", "backups")).stdout).toMatch(/ one\n$/);
    expect(await json("backup", "verify", "backups")).toMatchObject({ backups: 1, problems: [] });
    expect(await json("backup", "restore", "backups", "one", "again")).toMatchObject({ name: "again" });
    expect((await terrarium("backup", "restore", "backups", "nobody")).code).toBe(3);
    expect(await json("verify", "again")).toMatchObject({ problems: [] });
    expect(await json("export", "again", "again.terrarium")).toMatchObject({
      file: path.join(folder, "again.terrarium"),
    });
    expect((await terrarium("export", "again", "again.terrarium")).code).toBe(4);
    expect(await json("import", "again.terrarium", "back")).toMatchObject({ name: "back" });
    for (const name of ["again", "back"]) await json("remove", name, "--permanently");
  });

  it("says what happened to a machine", async () => {
    expect((await terrarium("log", "one")).stdout).toContain('Snapshot "renamed" was restored');
  });

  it("changes networks: attachment, cable, forwards, rules, reach and limits", async () => {
    for (const line of [
      "attach one internal:lab",
      "cable one off",
      "forward add one 8080:80",
      "forward add one udp:0.0.0.0:5353:53",
      "forward remove one 8080",
      "rule add one deny out tcp port 25",
      "rule add one --first allow out tcp 192.0.2.1 port 25",
      "rule add one deny in",
      "rule remove one 3",
      "default one in deny",
      "reach add one host:8080",
      "limit one out 1000",
      "boot one /srv/tftp pxelinux.0",
    ]) {
      expect((await terrarium("network", ...line.split(" "))).code, line).toBe(0);
    }
    const { stdout } = await terrarium("network", "show", "one");
    expect(
      stdout
        .split("\n")
        .map((row) => row.trim().replace(/ {2,}/, ": "))
        .join("\n"),
    ).toMatch(
      new RegExp(
        [
          "^nic0: internal:lab, virtio, 52:54:00:..:..:.., cable out",
          "forward: udp:0.0.0.0:5353:53",
          "reach: host:8080",
          "boot: pxelinux.0 from /srv/tftp",
          "default: out allow, in deny",
          "rule 1: allow out tcp 192.0.2.1 port 25",
          "rule 2: deny out tcp port 25",
          "limit out: 1000 kbit/s$",
        ].join("\n"),
        "m",
      ),
    );
    expect(await json("network", "add", "one", "--model", "e1000")).toMatchObject({ id: "nic1", model: "e1000" });
    expect((await terrarium("network", "cable", "one", "on")).stderr).toContain("--adapter: nic0, nic1");
    expect(await json("network", "remove", "one", "nic1")).toEqual({});
    expect((await terrarium("network", "list")).stdout).toMatch(/^internal:lab +one +nic0 .* down$/m);
    expect((await terrarium("network", "attach", "one", "bridge")).code).toBe(2);
    expect((await terrarium("network", "reach", "add", "one", "example.org")).stderr).toContain("host, host:PORT");
    expect((await terrarium("network", "rule", "remove", "one", "9")).code).toBe(3);
    expect((await terrarium("network", "capture", "one", "on")).stderr).toContain("not running");
  });

  it("shares folders", async () => {
    const papers = path.join(folder, "my papers");
    await mkdir(papers, { recursive: true });
    expect(await json("share", "add", "one", papers, "--read-only")).toEqual({
      ...{ name: "my papers", path: papers, readOnly: true },
    });
    expect((await terrarium("share", "add", "one", papers, "--name", "more")).stdout.trim()).toBe("more");
    expect((await terrarium("share", "list", "one")).stdout).toMatch(
      /^my papers +read-only +\/.*\/my papers\nmore +\//m,
    );
    expect((await terrarium("share", "add", "one", papers, "--name", "a/b")).stderr).toContain("letters, digits");
    expect((await terrarium("share", "remove", "one", "nothing")).code).toBe(3);
    for (const name of ["my papers", "more"]) expect(await json("share", "remove", "one", name)).toEqual({});
    expect(await json("share", "list", "one")).toEqual([]);
  });

  it.each([
    [["show", "nobody"], 3, "There is no machine"],
    [["snapshot", "restore", "one", "nothing"], 3, "There is no snapshot"],
    [["create", "ONE", "--starter"], 4, "already a machine"],
    [["pause", "one"], 5, "is powered off"],
    [["start", "one", "--boot-menu"], 5, "does not start through firmware"],
    [["media", "convert", "nowhere.vdi", "new.qcow2"], 3, "nowhere.vdi"],
    [["media", "give", "one", "nowhere.txt"], 3, "nowhere.txt"],
    [["media", "give", "one", "starter"], 6, "is not a file"],
    [["media", "give", "one", "starter/initrd.img"], 3, "no optical drive"],
    [["create", "x", "--kernel", "starter/initrd.img"], 6, "not a Linux kernel"],
    [["create", "x", "--network-boot", "nowhere.0"], 3, "nowhere.0"],
    [["set", "one", "memoryMiB=1"], 6, "at least 64 MiB"],
    [["set", "one", "turbo=yes"], 6, "no setting"],
    [["create", "x"], 2, "what to boot"],
    [["create", "x", "--starter", "--memory", "much"], 2, "not a size"],
    [["create", "x", "--starter", "--disk", "1G"], 2, "exclude each other"],
    [["snapshot", "take", "one", "--name", " "], 2, "needs a name"],
    [["log", "one", "--lines", "many"], 2, "not a whole number"],
    [["wait", "one", "--for", "x", "--from", "there"], 2, "not a whole number"],
    [["frobnicate"], 2, "unknown command"],
    [["start"], 2, "missing required argument"],
    [["send", "one", "x"], 5, "is not running"],
  ])("%j ends with %i and says why", async (args, code, words) => {
    const result = await terrarium(...args);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(words);
    expect(result.stdout).toBe("");
  });

  it("converts the image of a disk into a new one", async () => {
    await writeFile(path.join(folder, "disk.raw"), Buffer.alloc(1 << 20, 1));
    const file = path.join(folder, "disk.qcow2");
    expect(await terrarium("media", "convert", "disk.raw", "disk.qcow2")).toEqual({
      code: 0,
      stdout: `${file}\n`,
      stderr: "",
    });
    expect(readFileSync(file).subarray(0, 4).toString("latin1")).toBe("QFI\u00fb");
  });

  it("gives a guest files on a disc", async () => {
    await terrarium("create", "with-drive", "--starter");
    await terrarium("set", "with-drive", 'opticalDrives=[{"id":"cd0","file":null}]');
    await writeFile(path.join(folder, "notes.txt"), "x".repeat(300_000));
    const { stdout } = await terrarium("media", "give", "with-drive", "notes.txt", "starter/initrd.img", "--json");
    const { file } = JSON.parse(stdout) as { file: string };
    expect(JSON.parse(stdout)).toEqual({ changed: true, driveId: "cd0", file });
    expect(readFileSync(file).includes("x".repeat(300_000))).toBe(true);
    expect(await terrarium("media", "eject", "with-drive")).toMatchObject({ code: 0 });
    await terrarium("delete", "with-drive");
  });

  it("explains failures as JSON when asked to", async () => {
    const { code, stderr } = await terrarium("set", "one", "memoryMiB=1", "--json");
    expect(code).toBe(6);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "INVALID_CONFIG", field: "memoryMiB", remedy: expect.any(String) },
    });
  });

  it.each([
    [["frobnicate"], "unknown command"],
    [["start"], "missing required argument"],
    [["list", "--turbo"], "unknown option"],
    [[], "Say what to do"],
  ])("explains wrong use (%j) as one JSON object too", async (args, words) => {
    const { code, stdout, stderr } = await terrarium(...args, "--json");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "INVALID_ARGUMENT", message: expect.stringContaining(words), remedy: expect.any(String) },
    });
  });

  it("waits for a state that is there already, and not for ever for another", async () => {
    for (let round = 0; round < 4; round += 1) {
      expect(await terrarium("wait", "one", "--state", "powered-off")).toMatchObject({ code: 0, stderr: "" });
    }
    const late = await terrarium("wait", "one", "--state", "running", "--timeout", "0.2");
    expect(late).toMatchObject({ code: 8, stderr: expect.stringContaining("not running within 0.2 s") });
  });

  it("gives Starter Linux its notes", async () => {
    expect(await json("create", "noted", "--starter", "--description", "mine")).toMatchObject({
      config: { description: "mine" },
    });
    await json("remove", "noted", "--permanently");
  });

  it("prints an address that opens the app", async () => {
    const { url } = await json("host", "open");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    expect((await fetch(String(url))).status).toBe(200);
  });

  it("shows its commands and exit codes", async () => {
    const { code, stdout } = await terrarium("--help");
    expect(code).toBe(0);
    for (const name of [
      "create",
      "list",
      "show",
      "set",
      "start",
      "wait",
      "send",
      "console",
      "screenshot",
      "stop",
      "snapshot",
      "host",
    ]) {
      expect(stdout).toContain(`  ${name}`);
    }
    expect(stdout).toContain("Exit codes:");
  });

  it("finds a host again after one was killed", async () => {
    const { pid } = control();
    process.kill(pid, "SIGKILL");
    await waitUntil("it is gone", () => !isAlive(pid));
    expect((await json("show", "one"))["name"]).toBe("one");
    expect(control().pid).not.toBe(pid);
  });

  it("ends the host and leaves nothing of it", async () => {
    const { pid } = control();
    expect(await json("host", "stop")).toEqual({ running: false });
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(path.join(home, "run", "host.json"))).toBe(false);
  });
});

describe("the host as a program", { timeout: 60_000 }, () => {
  function serve(...args: string[]) {
    const child = spawn(process.execPath, [SERVER, "--home", home, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    const ended = new Promise<Result>((resolve) =>
      child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr })),
    );
    return { child, ended, line: () => JSON.parse(stdout.split("\n")[0] || "{}") };
  }

  it("says in one line of JSON where it is, and ends cleanly on SIGTERM", async () => {
    const host = serve();
    await waitUntil("it is ready", () => host.line().url !== undefined);
    host.child.kill("SIGTERM");
    expect((await host.ended).code).toBe(0);
    expect(existsSync(path.join(home, "run", "host.json"))).toBe(false);
  });

  it("is refused a second time on the same data folder", async () => {
    const first = serve();
    await waitUntil("it is ready", () => first.line().url !== undefined);
    const second = await serve().ended;
    expect(second.code).toBe(1);
    expect(JSON.parse(second.stdout)).toMatchObject({
      error: {
        code: "HOST_RUNNING",
        message: expect.stringContaining(String(first.child.pid)),
        remedy: expect.any(String),
      },
    });
    expect(second.stderr).toContain("already runs");
    expect(first.child.exitCode).toBeNull();
    first.child.kill("SIGTERM");
    await first.ended;
  });

  it("names a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = String(typeof address === "object" && address !== null ? address.port : 0);
    const { code, stdout } = await serve("--port", port).ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "PORT_TAKEN", field: "port" } });
    other.close();
  });

  it("refuses options that it doesn't know", async () => {
    const { code, stdout } = await serve("--prot", "1").ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "INVALID_ARGUMENT", remedy: expect.stringContaining("Usage") },
    });
  });
});
