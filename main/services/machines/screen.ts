// Screenshots: live while the machine runs, otherwise the picture kept when it was last asked for.
import { readFile } from "node:fs/promises";
import { AppError } from "../../../native-core/common/errors.ts";
import { writeFileAtomic } from "../../store/atomic-file.ts";
import type { Machine } from "./machine.ts";

export interface Screenshot {
  readonly pngBase64: string;
  readonly width: number;
  readonly height: number;
}

export async function screenshot(machine: Machine, thumbnail: boolean): Promise<Screenshot> {
  const { vm } = machine;
  if (vm !== null && (machine.state === "running" || machine.state === "paused")) {
    const { png, width, height } = await vm.client.request("screenshot", { thumbnail });
    if (!thumbnail) await writeFileAtomic(machine.paths.screenshot, png).catch(() => undefined);
    return { pngBase64: Buffer.from(png).toString("base64"), width, height };
  }
  const kept = await readFile(machine.paths.screenshot).catch(() => null);
  if (kept === null || kept.length < 24) {
    throw new AppError("NOT_FOUND", `There is no picture of "${machine.name}" yet`, {
      remedy: "Start the machine first.",
    });
  }
  // IHDR, the first chunk of every PNG: width and height at 16 and 20.
  return { pngBase64: kept.toString("base64"), width: kept.readUInt32BE(16), height: kept.readUInt32BE(20) };
}
