// What a machine's saved state holds beside RAM, and the checks that a hostile or foreign one does not get past.
import { z } from "zod";
import { AppError } from "../common/errors.ts";
import { VCPUS_MAX } from "../cpu/mmu/memory-layout.ts";
import type { Device } from "../devices/device.ts";
import { timeNs } from "../devices/state-schema.ts";
import { cpuSavedStateSchema } from "./cpu-saved-state.ts";

/** 1: one vCPU, in `cpu`. */
export const MACHINE_STATE_VERSION = 2;

const deviceStateSchema = z.strictObject({ version: z.int().min(1), state: z.unknown() });
const machineStateSchema = z.strictObject({
  version: z.literal(MACHINE_STATE_VERSION),
  memoryBytes: z.int(),
  nowNs: timeNs,
  /** In order of vCPUs. */
  cpus: z.array(cpuSavedStateSchema).min(1).max(VCPUS_MAX),
  /** Whose turn it is. */
  turn: z
    .int()
    .min(0)
    .max(VCPUS_MAX - 1),
  devices: z.record(z.string().max(64), deviceStateSchema),
});
/** Everything but the contents of RAM, which are saved page by page (GuestMemory). Plain data. */
export type MachineState = z.infer<typeof machineStateSchema>;

/** The state, checked as a whole. Throws AppError INVALID_FILE or VERSION_MISMATCH naming the field. */
export function checkMachineState(
  untrusted: unknown,
  machine: { readonly memoryBytes: number; readonly processors: number },
): MachineState {
  const version = (untrusted as { version?: unknown } | null | undefined)?.version;
  if (typeof version === "number" && version > MACHINE_STATE_VERSION) {
    throw new AppError(
      "VERSION_MISMATCH",
      `the saved state has version ${version}, this program knows up to ${MACHINE_STATE_VERSION}`,
      {
        field: "version",
        remedy: "Open it with the newer version of Terrarium that made it.",
      },
    );
  }
  const parsed = machineStateSchema.safeParse(version === 1 ? withManyCpus(untrusted as object) : untrusted);
  if (!parsed.success) throw invalidState("", parsed.error);
  const state = parsed.data;
  if (state.cpus.length !== machine.processors || state.turn >= machine.processors) {
    throw new AppError("INVALID_FILE", "the saved state belongs to a machine with another number of processors", {
      field: "cpus",
      remedy: "Set the machine's processors back to the number it had when the state was saved.",
    });
  }
  if (state.memoryBytes !== machine.memoryBytes) {
    throw new AppError("INVALID_FILE", "the saved state belongs to a machine with another memory size", {
      field: "memoryBytes",
      remedy: "Set the machine's memory back to the size it had when the state was saved.",
    });
  }
  return state;
}

/** What a device restores. Undefined: the state is from before there was the device. Throws as `checkMachineState`. */
export function checkDeviceState(state: MachineState, device: Device<unknown>): unknown {
  const { name } = device;
  const saved = Object.hasOwn(state.devices, name) ? state.devices[name] : undefined;
  if (!saved) {
    if (device.missingInOldStates) return undefined;
    throw new AppError("INVALID_FILE", `the saved state has no device ${name}`, {
      field: `devices.${name}`,
      remedy: "Give the machine the devices it had when the state was saved.",
    });
  }
  if (saved.version > device.stateVersion) {
    throw new AppError("VERSION_MISMATCH", `device ${name} was saved by a newer version of Terrarium`, {
      field: `devices.${name}.version`,
      remedy: "Open it with the version that made it.",
    });
  }
  const parsed = device.stateSchema.safeParse(saved.state);
  if (!parsed.success) throw invalidState(`devices.${name}.state`, parsed.error);
  return parsed.data;
}

/** Version 1 of a saved state as version 2. */
function withManyCpus(state: object): object {
  const { cpu, ...rest } = state as { cpu?: unknown };
  return { ...rest, version: MACHINE_STATE_VERSION, cpus: [cpu], turn: 0 };
}

function invalidState(prefix: string, error: z.ZodError): AppError {
  const issue = error.issues[0];
  const path = [prefix, ...(issue?.path ?? []).map(String)].filter((part) => part !== "").join(".");
  return new AppError("INVALID_FILE", `the saved state is damaged: ${path}: ${issue?.message ?? "invalid"}`, {
    field: path,
    consequence: "The machine was not changed.",
    remedy: "Restore an older snapshot, or start the machine afresh.",
  });
}
