import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SETTINGS_PAGES } from "../../../native-core/config/field.ts";
import { defaultMachineConfig, machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import {
  createRequest,
  formFieldOf,
  NEW_MACHINE_DEFAULTS,
  newMachineSchema,
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

describe("the form of a new machine", () => {
  const filled = { ...NEW_MACHINE_DEFAULTS, name: "Box", kernel: "/k" };
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

  test.each([
    [{ kernel: " " }, "kernel"],
    [{ memoryMiB: Number.NaN }, "memoryMiB"],
    [{ memoryMiB: 4096 }, "memoryMiB"],
    [{ diskSizeMiB: 0 }, "diskSizeMiB"],
    [{ diskSizeMiB: Number.NaN }, "diskSizeMiB"],
    [{ diskKind: "existing" }, "diskFile"],
    [{ name: "a/b" }, "name"],
  ])("%j is refused at %s", (change, field) => {
    expect(mistakes(change)).toContain(field);
  });

  test.each([
    ["name", "name"],
    ["config.boot.kernel", "kernel"],
    ["disks.0.file", "diskSizeMiB"],
    ["something.else", undefined],
    [undefined, undefined],
  ])("the host's field %s is the form's field %s", (hostField, expected) => {
    expect(formFieldOf(hostField, filled)).toBe(expected);
  });
});
