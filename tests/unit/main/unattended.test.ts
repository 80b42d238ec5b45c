// Unattended installations: passwords as Linux hashes them, answers that the real tools accept, discs that other systems read, and a
// machine's way from its installer to its own disk.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { type UnattendedAnswers, unattendedSchema } from "../../../main/contract/unattended.ts";
import type { App } from "../../../main/services/app.ts";
import { createCustom } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { autoinstall, cloudInit, preseed } from "../../../main/services/unattended/linux-answers.ts";
import { sha512Crypt } from "../../../main/services/unattended/sha512-crypt.ts";
import { autounattend } from "../../../main/services/unattended/windows-answers.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { readIso } from "../../../native-core/media/iso.ts";
import { findInIso } from "../../../native-core/media/iso-files.ts";
import { seedDisc } from "../../../native-core/media/seed-disc.ts";
import { isoImage } from "../../support/iso-image.ts";
import { kernelBytes, openTestApp, temporaryFolder } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const ANSWERS: UnattendedAnswers = unattendedSchema.parse({
  user: "ada",
  fullName: "Ada <&> Lovelace",
  password: 'ge"heim & <lang>',
  hostName: "analytical",
  locale: "de_DE",
  timeZone: "Europe/Berlin",
  keyboard: "de",
});

/** Debian's tool, where it is installed; on other systems its part of the test is skipped. */
const runs = (program: string, ...args: string[]): boolean => {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

describe("SHA-512 crypt", () => {
  it("hashes as its specification's examples say", () => {
    expect(sha512Crypt("Hello world!", "saltstring")).toBe(
      "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    );
  });

  it.skipIf(!runs("openssl", "version"))("hashes as OpenSSL does, whatever the lengths", () => {
    for (const [password, salt] of [
      ["a", "x"],
      ["Grüße, länger als ein Block des Hashes von vierundsechzig Bytes, und noch etwas", "0123456789abcdef"],
      ["x".repeat(128), "ab./"],
    ] as const) {
      const theirs = execFileSync("openssl", ["passwd", "-6", "-salt", salt, password], { encoding: "utf8" });
      expect(sha512Crypt(password, salt)).toBe(theirs.trim());
    }
  });

  it("salts each hash anew", () => {
    expect(sha512Crypt("same")).not.toBe(sha512Crypt("same"));
  });
});

describe("answers", () => {
  it.skipIf(!existsSync("/usr/bin/debconf-set-selections"))("for Debian's installer are accepted by debconf", () => {
    const check = (text: string) =>
      execFileSync("debconf-set-selections", ["--checkonly"], { input: text, encoding: "utf8", stdio: "pipe" });
    check(preseed(ANSWERS));
    expect(() => check("d-i broken")).toThrow();
  });

  it("for Debian's installer hold no password, only its hash, and the mirror that was named", () => {
    const text = preseed({ ...ANSWERS, mirror: "http://10.0.2.2:8080/debian/" });
    expect(text).not.toContain(ANSWERS.password);
    expect(text).toMatch(/passwd\/user-password-crypted password \$6\$/);
    expect(text).toContain("d-i mirror/http/hostname string 10.0.2.2:8080\n");
    expect(text).toContain("d-i mirror/http/directory string /debian\n");
    expect(text).toContain("d-i time/zone string Europe/Berlin\n");
  });

  it("for cloud-init and Ubuntu's installer are documents with nothing but values in them", () => {
    const seed = cloudInit(ANSWERS, "terrarium-1");
    const [header, ...body] = (seed.get("user-data") ?? "").split("\n");
    expect(header).toBe("#cloud-config");
    expect(JSON.parse(body.join("\n"))).toMatchObject({
      hostname: "analytical",
      timezone: "Europe/Berlin",
      users: [{ name: "ada", gecos: "Ada <&> Lovelace", lock_passwd: false, passwd: expect.stringMatching(/^\$6\$/) }],
    });
    expect(JSON.parse(seed.get("meta-data") ?? "")).toEqual({
      "instance-id": "terrarium-1",
      "local-hostname": "analytical",
    });
    const install = autoinstall(ANSWERS, "terrarium-2").get("user-data") ?? "";
    expect(JSON.parse(install.replace("#cloud-config", ""))).toMatchObject({
      autoinstall: { version: 1, identity: { username: "ada" }, shutdown: "poweroff" },
    });
  });

  it("for Windows are well-formed XML, whatever the texts hold", () => {
    const xml = autounattend({ ...ANSWERS, hostName: "a-name-that-is-too-long" }, "uefi");
    expect(xml).toContain("<DisplayName>Ada &lt;&amp;&gt; Lovelace</DisplayName>");
    expect(xml).toContain("<ComputerName>a-name-that-is-</ComputerName>");
    expect(xml).toContain("<TimeZone>W. Europe Standard Time</TimeZone>");
    expect(xml).not.toContain("lang&gt;");
    const [, value = ""] = /<Password><Value>([^<]+)</.exec(xml) ?? [];
    expect(Buffer.from(value, "base64").toString("utf16le")).toBe(`${ANSWERS.password}Password`);
    const open: string[] = [];
    for (const [, close, name, self] of xml.matchAll(/<(\/?)([A-Za-z]+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name);
      else if (!self) open.push(name ?? "");
    }
    expect(open).toEqual([]);
    expect(autounattend(ANSWERS, "bios")).toContain("<PartitionID>2</PartitionID></InstallTo>");
  });

  it("that a system could not use are refused by their fields", () => {
    const wrong = {
      user: "Root",
      hostName: "-x",
      locale: "german",
      timeZone: "Nowhere/None",
      password: "",
      keyboard: "US",
    };
    const refused = unattendedSchema.safeParse({ ...ANSWERS, ...wrong });
    expect(refused.error?.issues.map(({ path: [field] }) => field).sort()).toEqual(Object.keys(wrong).sort());
    expect(unattendedSchema.safeParse({ ...ANSWERS, user: "root" }).success).toBe(false);
  });
});

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => rm(folder, { recursive: true }));

/** What stands in a file of a disc. */
async function readFromDisc(disc: string, name: string): Promise<string | null> {
  const file = await NodeImageFile.open(disc, { readOnly: true, lock: null });
  try {
    const found = await findInIso(file, name);
    return (
      found &&
      readFileSync(disc)
        .subarray(found.offset, found.offset + found.size)
        .toString()
    );
  } finally {
    await file.close();
  }
}

test("a seed disc has its label and its files, for us and for the system's own tools", async () => {
  const disc = path.join(folder, "seed.iso");
  await writeFile(
    disc,
    seedDisc(
      "cidata",
      new Map([
        ["user-data", Buffer.from("u")],
        ["meta-data", Buffer.from("m")],
      ]),
    ),
  );
  const file = await NodeImageFile.open(disc, { readOnly: true, lock: null });
  expect(await readIso(file)).toEqual({ label: "cidata", bootsBios: false, bootsUefi: false });
  await file.close();
  expect(await readFromDisc(disc, "user-data")).toBe("u");
  expect(await readFromDisc(disc, "vendor-data")).toBeNull();
  if (runs("blkid", "-V")) {
    const facts = execFileSync("blkid", ["-p", "-o", "export", disc], { encoding: "utf8" });
    expect(facts).toContain("LABEL=cidata");
    expect(facts).toContain("TYPE=iso9660");
  }
});

describe("a machine that installs itself", () => {
  let app: App;

  beforeEach(async () => {
    const firmware = path.join(folder, "firmware");
    await mkdir(firmware);
    for (const name of ["bios-256k.bin", "vgabios-stdvga.bin"]) await writeFile(path.join(firmware, name), name);
    app = await openTestApp(folder);
  });

  afterEach(() => app.close("power-off"));

  async function make(iso: string | null, disks: Parameters<typeof createCustom>[1]["disks"]): Promise<Machine> {
    return createCustom(app.context, {
      ...{ name: "vm", description: "", memoryMiB: 256, kernel: null, initrd: null, commandLine: "fb=false" },
      ...{ iso, disks, unattended: ANSWERS },
    });
  }

  async function disc(name: string, label: string, files: Record<string, Uint8Array>): Promise<string> {
    const file = path.join(folder, name);
    await writeFile(file, isoImage({ label, files: new Map(Object.entries(files)) }));
    return file;
  }

  const debian = () =>
    disc("debian-13.0.0-amd64-netinst.iso", "Debian 13.0.0 amd64 n", {
      "INSTALL.AMD/VMLINUZ": kernelBytes(),
      "INSTALL.AMD/INITRD.GZ": Buffer.from("not a multiple of four"),
    });

  it("starts Debian's installer with its answers, and boots from its disk when that has powered off", async () => {
    const iso = await debian();
    const machine = await make(iso, [{ sizeMiB: 64 }]);
    const { boot, opticalDrives } = machine.record.config;
    expect(boot).toMatchObject({ commandLine: "auto=true priority=critical fb=false" });
    expect(opticalDrives).toEqual([{ id: "cd0", file: iso }]);
    expect(readFileSync(boot.kernel ?? "")).toEqual(kernelBytes());
    const initrd = readFileSync(boot.initrd ?? "");
    expect(initrd.subarray(0, 22).toString()).toBe("not a multiple of four");
    expect(initrd.subarray(24, 30).toString()).toBe("070701");
    expect(initrd.toString()).toContain("preseed.cfg\0");
    expect((await stat(boot.initrd ?? "")).mode & 0o077).toBe(0);
    await app.lifecycle.start(machine);
    await machine.vm?.client.request("sendText", { port: 0, text: "poweroff\n" });
    await waitUntil("it boots from its disk", () => machine.record.config.boot.kernel === null && machine.vm !== null);
    expect(machine.record.config.opticalDrives).toEqual([{ id: "cd0", file: null }]);
    expect(existsSync(path.dirname(boot.kernel ?? ""))).toBe(false);
    await waitUntil("it runs", () => machine.state === "running");
  });

  it("goes on with its installer after the user pulled the plug", async () => {
    const machine = await make(await debian(), [{ sizeMiB: 64 }]);
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "power-off");
    expect(machine.record.config.boot.kernel).not.toBeNull();
    await app.lifecycle.start(machine);
  });

  it("has its answers on a second disc for Windows, and for Ubuntu together with its kernel", async () => {
    const windows = await make(await disc("Win10.iso", "CCCOMA_X64FRE_EN-US_DV5", { A: kernelBytes() }), []);
    const [, second] = windows.record.config.opticalDrives;
    expect(windows.record.config.boot.kernel).toBeNull();
    expect(await readFromDisc(second?.file ?? "", "autounattend.xml")).toContain("<Name>ada</Name>");
    await app.lifecycle.stop(windows, "power-off").catch(() => undefined);
    const ubuntu = await createCustom(app.context, {
      ...{ name: "ubuntu", description: "", memoryMiB: 256, kernel: null, initrd: null, commandLine: "", disks: [] },
      unattended: ANSWERS,
      iso: await disc("ubuntu-24.04-live-server-amd64.iso", "Ubuntu-Server 24.04", {
        "CASPER/VMLINUZ": kernelBytes(),
        "CASPER/INITRD": Buffer.from("x"),
      }),
    });
    expect(ubuntu.record.config.boot.commandLine).toBe("autoinstall");
    expect(await readFromDisc(ubuntu.record.config.opticalDrives[1]?.file ?? "", "user-data")).toContain("autoinstall");
  });

  it("is a copy of a ready system with a seed for its first start", async () => {
    const image = path.join(folder, "cloud.qcow2");
    await app.context.images.create(image, 4 << 20);
    const machine = await make(null, [{ copyOf: image, sizeMiB: 8 }]);
    const [disk] = machine.record.config.disks;
    const copy = path.join(machine.paths.folder, disk?.file ?? "");
    expect(await app.context.images.inspect(copy)).toMatchObject({ sizeBytes: 8 << 20 });
    const seed = machine.record.config.opticalDrives[0]?.file ?? "";
    expect(await readFromDisc(seed, "user-data")).toContain("#cloud-config");
  });

  it("is not made of a disc that takes no answers or lacks its installer's kernel", async () => {
    const unsupported = { code: "UNSUPPORTED", details: { field: "unattended" } };
    await expect(make(await disc("haiku.iso", "haiku", { A: kernelBytes() }), [])).rejects.toMatchObject(unsupported);
    const empty = await disc("debian-12.iso", "Debian 12", { A: kernelBytes() });
    await expect(make(empty, [])).rejects.toMatchObject({ ...unsupported, message: expect.stringContaining("kernel") });
    expect(app.context.registry.list()).toEqual([]);
  });
});
