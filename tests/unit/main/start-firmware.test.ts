// What machines start with: firmware, the option ROMs that boot from the network, and the menu that one start may show.
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findAdapterRoms } from "../../../main/services/host/firmware-files.ts";
import { Resources } from "../../../main/services/host/resources.ts";
import { firmwareOf, withBootMenu } from "../../../main/services/machines/start-firmware.ts";
import { defaultMachineConfig, type MachineConfig } from "../../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS, defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { temporaryFolder } from "../../support/test-app.ts";

const FILES = ["bios-256k.bin", "vgabios-stdvga.bin", "OVMF_CODE.fd", "OVMF_VARS.fd"];
const ROMS = { virtio: "efi-virtio.rom", e1000: "efi-e1000.rom", rtl8139: "efi-rtl8139.rom" } as const;

let folder: string;
let resources: Resources;
const firmware = (name: string) => path.join(folder, "firmware", name);

beforeEach(async () => {
  folder = await temporaryFolder();
  resources = new Resources(path.join(folder, "starter"));
  await mkdir(firmware(""));
  const sums = [...FILES, ...Object.values(ROMS)].map(
    (name) => `${createHash("sha256").update(name).digest("hex")}  ${name}\n`,
  );
  for (const name of [...FILES, ...Object.values(ROMS)]) await writeFile(firmware(name), name);
  await writeFile(firmware("SHA256SUMS"), sums.join(""));
});

afterEach(() => rm(folder, { recursive: true }));

function withAdapters(boot: Partial<MachineConfig["boot"]>): MachineConfig {
  const adapters = ADAPTER_MODELS.map((model, index) => ({
    ...defaultAdapter(`nic${index}`, `52:54:00:12:34:5${index}`),
    model,
  }));
  return { ...defaultMachineConfig("vm", boot), adapters };
}

describe("Option ROMs of adapters", () => {
  it("come with firmware where the order has the network, by model; UEFI has a driver for virtio", async () => {
    const romsOf = async (boot: Partial<MachineConfig["boot"]>) =>
      (await firmwareOf(resources, withAdapters(boot))).adapterRoms;
    const files = Object.fromEntries(Object.entries(ROMS).map(([model, name]) => [model, firmware(name)]));
    expect(await romsOf({})).toBeUndefined();
    expect(await romsOf({ order: ["disk", "network"] })).toEqual(files);
    const { virtio: _driver, ...others } = files;
    expect(await romsOf({ order: ["network"], firmware: "uefi" })).toEqual(others);
    expect(await firmwareOf(resources, withAdapters({ order: ["network"], kernel: "/vmlinuz" }))).toEqual({});
  });

  it("are refused in words when they are not here, or not what set-up fetched", async () => {
    await writeFile(firmware(ROMS.e1000), "changed");
    await expect(firmwareOf(resources, withAdapters({ order: ["network"] }))).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { file: firmware(ROMS.e1000), remedy: expect.stringContaining("npm start") },
    });
    await rm(firmware(ROMS.e1000));
    await expect(findAdapterRoms(firmware(""), new Set(["e1000"]), [])).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { file: firmware(ROMS.e1000), field: "boot.order", remedy: expect.stringContaining("boot order") },
    });
  });
});

describe("A start with the boot menu", () => {
  it("offers the network too, last, where there are adapters and what boots from them", async () => {
    const orderOf = async (config: MachineConfig) => (await withBootMenu(resources, config)).boot.order;
    expect(await orderOf(withAdapters({}))).toEqual(["disk", "cdrom", "network"]);
    expect(await orderOf(withAdapters({ order: ["cdrom"] }))).toEqual(["cdrom", "disk", "network"]);
    expect(await orderOf(withAdapters({ order: ["network", "disk"] }))).toEqual(["network", "disk"]);
    expect(await orderOf(defaultMachineConfig("vm"))).toEqual(["disk", "cdrom"]);
    await writeFile(firmware(ROMS.virtio), "changed");
    expect(await orderOf(withAdapters({}))).toEqual(["disk", "cdrom"]);
  });
});
