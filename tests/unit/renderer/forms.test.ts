import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { MediumFacts } from "../../../main/contract/schemas.ts";
import { SETTINGS_PAGES } from "../../../native-core/config/field.ts";
import { defaultMachineConfig, machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import { dropKind, imageName, isForGuest } from "../../../renderer/features/media/drop-kind.ts";
import { planOf } from "../../../renderer/features/new-machine/plan-text.ts";
import {
  createRequest,
  formFieldOf,
  NEW_MACHINE_DEFAULTS,
  type NewMachineForm,
  newMachineSchema,
  STEP_FIELDS,
  suggestionsOf,
} from "../../../renderer/features/new-machine/schema.ts";
import {
  choices,
  fieldsOfPage,
  MACHINE_FIELDS,
  matchesSetting,
  numberLimits,
  settingLabel,
} from "../../../renderer/forms/schema-fields.ts";
import { zodResolver } from "../../../renderer/forms/zod-resolver.ts";

const config = defaultMachineConfig("Test", { kernel: "/boot/vmlinuz", initrd: null, commandLine: "" });

describe("settings from the configuration's declaration", () => {
  test("every key of the configuration but its version is a setting or a group of settings", () => {
    const roots = new Set(MACHINE_FIELDS.map((field) => field.path.split(".")[0]));
    expect(roots).toEqual(new Set(Object.keys(config).filter((key) => key !== "version")));
  });

  test("every setting is on exactly one page", () => {
    expect(SETTINGS_PAGES.flatMap((page) => fieldsOfPage(page)).length).toBe(MACHINE_FIELDS.length);
  });

  test("labels, limits and choices come from the schema", () => {
    expect(settingLabel("boot.kernel")).toBe("Kernel");
    expect(numberLimits(machineConfigSchema.shape.memoryMiB)).toEqual({ min: 64, max: 3072 });
    expect(choices(machineConfigSchema.shape.osType)).toEqual(["linux", "other"]);
    expect(numberLimits(machineConfigSchema.shape.cpuCount)).toEqual({ min: 1, max: 8 });
    expect(choices(machineConfigSchema.shape.name)).toEqual([]);
  });

  test.each([
    ["ram", ["memoryMiB", "boot.initrd"]],
    ["command line", ["boot.commandLine"]],
    ["no such thing", []],
  ])("the filter %j finds %j", (filter, expected) => {
    expect(MACHINE_FIELDS.filter((field) => matchesSetting(field, filter)).map((field) => field.path)).toEqual(
      expect.arrayContaining(expected),
    );
    if (expected.length === 0) expect(MACHINE_FIELDS.some((field) => matchesSetting(field, filter))).toBe(false);
  });
});

describe("validation with the host's schema", () => {
  const resolve = async (values: unknown) => zodResolver(machineConfigSchema)(values as never, undefined, {} as never);

  test("a valid document passes unchanged", async () => {
    expect(await resolve(config)).toEqual({ values: config, errors: {} });
  });

  test("each mistake is placed at its field, also inside lists", async () => {
    const disks = [{ id: "Disk 0", file: "a", format: "raw", readOnly: false }];
    const { errors } = await resolve({
      ...config,
      name: " ",
      memoryMiB: 1,
      boot: { ...config.boot, kernel: "" },
      disks,
    });
    expect(errors).toMatchObject({
      name: { message: "a name is needed" },
      memoryMiB: { message: "at least 64 MiB" },
      boot: { kernel: { message: "a file is needed" } },
      disks: { 0: { id: { message: expect.stringContaining("small letters") } } },
    });
  });

  test("the first message of a field wins", async () => {
    const schema = z.object({ a: z.string().min(2, "first").regex(/^x/, "second") });
    const { errors } = await zodResolver(schema)({ a: "" }, undefined, {} as never);
    expect(errors).toMatchObject({ a: { message: "first" } });
  });
});

test("a dropped file is taken for what its name says", () => {
  expect(["a.ova", "b.OVF", "c.terrarium", "d.vbox", "e.vmx"].map((name) => dropKind(name, false))).toEqual(
    Array(5).fill("machine"),
  );
  expect(dropKind("some folder", true)).toBe("machine");
  expect([dropKind("old.vmdk", false), dropKind("debian.iso", false)]).toEqual(["disk", "disc"]);
  expect(imageName("C:\\disks\\old.vhdx")).toBe("old");
});

test("files dropped on a screen are for the guest, unless one is a disc, a disk or a machine", () => {
  expect([["notes.txt"], ["a.tar.gz"], ["debian.iso", "notes.txt"]].map(isForGuest)).toEqual([true, true, true]);
  expect([["debian.ISO"], ["disk.qcow2"], ["a.ova"], []].map(isForGuest)).toEqual([false, false, false, false]);
});

describe("the form of a new machine", () => {
  const filled: NewMachineForm = { ...NEW_MACHINE_DEFAULTS, name: "Box", source: "kernel", kernel: "/k" };
  const mistakes = (change: object) =>
    newMachineSchema.safeParse({ ...filled, ...change }).error?.issues.map((issue) => issue.path.join("."));

  test("a filled form becomes the request of the contract", () => {
    expect(mistakes({})).toBeUndefined();
    expect(createRequest(filled)).toMatchObject({
      name: "Box",
      kernel: "/k",
      initrd: null,
      disks: [{ sizeMiB: 8192 }],
    });
    expect(createRequest({ ...filled, diskKind: "none" }).disks).toEqual([]);
    expect(createRequest({ ...filled, diskKind: "existing", diskFile: "/d" }).disks).toEqual([{ file: "/d" }]);
  });

  test("what belongs to another source than the chosen one is not sent", () => {
    const both = { ...filled, iso: "/d.iso" };
    expect(createRequest(both)).toMatchObject({ iso: null, kernel: "/k" });
    expect(createRequest({ ...both, source: "disc" })).toMatchObject({ iso: "/d.iso", kernel: null, commandLine: "" });
  });

  test("a machine boots from the network with a file of this computer, or with none", () => {
    const offered: NewMachineForm = { ...filled, source: "network", networkBoot: "/tftp/boot.ipxe" };
    expect(mistakes({ ...offered, networkBoot: "" })).toBeUndefined();
    expect(createRequest(offered)).toMatchObject({ networkBoot: "/tftp/boot.ipxe", kernel: null, iso: null });
    expect(createRequest({ ...offered, source: "kernel" }).networkBoot).toBeNull();
    expect(planOf(offered)).toContain("Box boots boot.ipxe from the network.");
    expect(planOf({ ...offered, networkBoot: "" })).toContain("Box boots what its network offers.");
  });

  test("a system that takes answers is set up with them, and they are checked only where they are used", () => {
    const disc: NewMachineForm = { ...filled, source: "disc", iso: "/debian.iso", unattendedKind: "preseed" };
    expect(createRequest(disc).unattended).toBeNull();
    const asked = { ...disc, unattended: true };
    expect(mistakes(asked)).toEqual(["user", "password"]);
    const answered = { ...asked, user: "ada", password: "x" };
    expect(mistakes(answered)).toBeUndefined();
    expect(createRequest(answered).unattended).toMatchObject({ user: "ada", hostName: "box", timeZone: "UTC" });
    expect(createRequest({ ...answered, source: "kernel" }).unattended).toBeNull();
    expect(planOf(answered)).toContain("It installs itself for ada as box, without asking.");
  });

  test("a release of the catalogue has to be downloaded, and a ready disk is copied", () => {
    const chosen: NewMachineForm = { ...filled, source: "download", release: "debian-cloud", releaseKind: "disk" };
    expect(mistakes({ ...chosen, release: "" })).toEqual(["release"]);
    expect(mistakes(chosen)).toEqual(["release"]);
    const there = { ...chosen, releaseFile: "/media/debian.qcow2" };
    expect(mistakes(there)).toBeUndefined();
    const disks = [{ copyOf: "/media/debian.qcow2", sizeMiB: 8192 }];
    expect(createRequest(there)).toMatchObject({ iso: null, disks });
    expect(createRequest({ ...there, releaseKind: "disc" })).toMatchObject({
      iso: "/media/debian.qcow2",
      disks: [{ sizeMiB: 8192 }],
    });
  });

  test("a disc suggests what the user has not touched", () => {
    const facts = {
      ...{ name: "Debian", osType: "linux", memoryMiB: 1024, diskMiB: 20480 },
      ...{ cpuCount: 2, firmware: "uefi", unattended: "preseed" },
    } as MediumFacts;
    expect(suggestionsOf(facts, { name: true })).toEqual({
      osType: "linux",
      memoryMiB: 1024,
      cpuCount: 2,
      firmware: "uefi",
      unattendedKind: "preseed",
      diskKind: "create",
      diskSizeMiB: 20480,
    });
    expect(suggestionsOf({ ...facts, diskMiB: 0 }, {})).toMatchObject({ name: "Debian", diskKind: "none" });
  });

  test("the plan says in words what the form says in fields", () => {
    expect(planOf(filled)).toBe(
      "Box starts the kernel k. It has 512 MiB of memory and 1 processor. " +
        "It gets a new disk of 8 GiB that takes hardly any space until it is used. It starts right away.",
    );
    expect(planOf({ ...filled, source: "disc", diskKind: "none", startNow: false, cpuCount: 2 })).toBe(
      "Choose what Box boots from. It has 512 MiB of memory and 2 processors. " +
        "It has no disk: what it does is lost when it is switched off. It is not started yet.",
    );
  });

  test("every field belongs to one step of the wizard, in the order of the steps", () => {
    const fields = Object.keys(NEW_MACHINE_DEFAULTS).filter((field) => field !== "startNow");
    expect(Object.values(STEP_FIELDS).flat().toSorted()).toEqual(fields.toSorted());
  });

  test.each([
    [{ kernel: " " }, "kernel"],
    [{ memoryMiB: Number.NaN }, "memoryMiB"],
    [{ memoryMiB: 4096 }, "memoryMiB"],
    [{ diskSizeMiB: 0 }, "diskSizeMiB"],
    [{ diskSizeMiB: Number.NaN }, "diskSizeMiB"],
    [{ diskKind: "existing" }, "diskFile"],
    [{ name: "a/b" }, "name"],
    [{ source: "disc" }, "iso"],
    [{ source: "disk" }, "diskKind"],
    [{ cpuCount: 9 }, "cpuCount"],
  ])("%j is refused at %s", (change, field) => {
    expect(mistakes(change)).toContain(field);
  });

  test.each([
    ["name", "name"],
    ["config.boot.kernel", "kernel"],
    ["disks.0.file", "diskSizeMiB"],
    ["opticalDrives.0.file", "iso"],
    ["something.else", undefined],
    [undefined, undefined],
  ])("the host's field %s is the form's field %s", (hostField, expected) => {
    expect(formFieldOf(hostField, filled)).toBe(expected);
  });
});
