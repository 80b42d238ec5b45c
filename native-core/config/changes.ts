// Which settings differ between two configurations, with what is declared about each: basis of change rules, logs and diffs.
import { z } from "zod";
import { type ChangeTime, fieldMeta } from "./field.ts";
import { type MachineConfig, machineConfigSchema } from "./machine-config.ts";

export interface SettingField {
  /** As in `set NAME path=value`: `boot.commandLine`. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly label: string;
  readonly change: ChangeTime;
}

/** All declared settings, in the order of their declaration. */
export function settingFields(schema: z.ZodType = machineConfigSchema, prefix = ""): SettingField[] {
  const meta = fieldMeta(schema);
  if (meta) return [{ path: prefix, schema, label: meta.label, change: meta.change }];
  // A group of settings that may be left out as a whole.
  if (schema instanceof z.ZodPrefault) return settingFields(schema.unwrap() as z.ZodType, prefix);
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([key, child]) =>
    settingFields(child, prefix === "" ? key : `${prefix}.${key}`),
  );
}

/** The value of a setting; `path` is one of `settingFields`. */
export function settingValue(config: MachineConfig, path: string): unknown {
  let value: unknown = config;
  for (const key of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
  return value;
}

/** A copy with one setting replaced; not validated. */
export function withSetting(config: MachineConfig, path: string, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  let target = copy;
  for (const key of keys) target = target[key] as Record<string, unknown>;
  target[last] = value;
  return copy;
}

export function changedFields(from: MachineConfig, to: MachineConfig): SettingField[] {
  return settingFields().filter((field) => !sameValue(settingValue(from, field.path), settingValue(to, field.path)));
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => sameValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
