import { describe, expect, it } from "vitest";
import { changedFields, settingFields, settingValue, withSetting } from "../../../native-core/config/changes.ts";
import { fieldMeta, SETTINGS_PAGES } from "../../../native-core/config/field.ts";
import { defaultMachineConfig, machineConfigSchema } from "../../../native-core/config/machine-config.ts";

const config = defaultMachineConfig("vm", { kernel: "/boot/vmlinuz", initrd: null, commandLine: "" });
const fields = settingFields();

describe("the declaration of settings", () => {
  it("covers everything in a configuration but its version", () => {
    const leaves = (value: object, prefix = ""): string[] =>
      Object.entries(value).flatMap(([key, child]) => {
        const path = `${prefix}${key}`;
        if (fields.some((field) => field.path === path)) return [path];
        return typeof child === "object" && child !== null && !Array.isArray(child)
          ? leaves(child, `${path}.`)
          : [path];
      });
    expect(leaves(config).sort()).toEqual(["version", ...fields.map((field) => field.path)].sort());
  });

  it("has valid defaults", () => {
    expect(machineConfigSchema.parse(config)).toEqual(config);
  });

  it.each(fields.map((field) => [field.path, field] as const))(
    "gives %s a page, words and a valid example",
    (_, field) => {
      const meta = fieldMeta(field.schema);
      expect(SETTINGS_PAGES).toContain(meta?.page);
      expect(meta?.label.length).toBeGreaterThan(0);
      expect(meta?.help).toMatch(/\.$/);
      expect(machineConfigSchema.safeParse(withSetting(config, field.path, meta?.example)).success).toBe(true);
    },
  );

  it("refuses settings that are not declared", () => {
    expect(machineConfigSchema.safeParse({ ...config, turbo: true }).success).toBe(false);
    expect(machineConfigSchema.safeParse({ ...config, boot: { ...config.boot, turbo: true } }).success).toBe(false);
  });
});

describe("disks and drives", () => {
  const disk = (id: string, bus: "ide" | "nvram") => ({
    ...{ id, file: `${id}.qcow2`, format: "qcow2" as const, readOnly: false, bus },
  });
  it.each([
    ["three IDE disks", { disks: ["a", "b", "c"].map((id) => disk(id, "ide")) }],
    ["two images for UEFI's variables", { disks: ["a", "b"].map((id) => disk(id, "nvram")) }],
    ["two drives with one id", { opticalDrives: ["cd0", "cd0"].map((id) => ({ id, file: null })) }],
    ["a boot order with a device twice", { boot: { ...config.boot, order: ["disk", "disk"] } }],
  ])("are refused when there are %s", (_, change) => {
    expect(machineConfigSchema.safeParse({ ...config, ...change }).success).toBe(false);
  });
});

describe("the difference of two configurations", () => {
  it("is empty for equal ones, whatever their key order", () => {
    const reordered = Object.fromEntries(Object.entries(config).reverse()) as typeof config;
    expect(changedFields(config, reordered)).toEqual([]);
  });

  it("names exactly the settings that differ, with their change rule", () => {
    const other = machineConfigSchema.parse({
      ...config,
      memoryMiB: 512,
      boot: { ...config.boot, commandLine: "quiet" },
    });
    expect(changedFields(config, other).map((field) => [field.path, field.change])).toEqual([
      ["memoryMiB", "off"],
      ["boot.commandLine", "off"],
    ]);
  });

  it("looks into lists", () => {
    const disk = { id: "disk0", file: "a.qcow2", format: "qcow2" as const, readOnly: false };
    const changed = changedFields({ ...config, disks: [disk] }, { ...config, disks: [{ ...disk, readOnly: true }] });
    expect(changed.map((field) => field.path)).toEqual(["disks"]);
  });
});

describe("one setting", () => {
  it("is read and replaced by its path, in a copy", () => {
    const changed = withSetting(config, "boot.commandLine", "quiet") as typeof config;
    expect(settingValue(changed, "boot.commandLine")).toBe("quiet");
    expect(settingValue(config, "boot.commandLine")).toBe("");
  });
});
