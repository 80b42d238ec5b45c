// Walks a configuration schema and lists its settings: path, metadata, schema. The settings form, its filter and the labels in
// Details all read this list; nothing about a single setting is written down in the renderer.
import { z } from "zod";
import { type FieldMeta, fieldMeta, type SettingsPage } from "../../native-core/config/field.ts";
import { machineConfigSchema } from "../../native-core/config/machine-config.ts";
import { configText } from "../i18n/config-texts.ts";

export interface SchemaField {
  /** Dotted path within the document, such as `boot.kernel`. */
  readonly path: string;
  readonly meta: FieldMeta;
  readonly schema: z.ZodType;
}

/** Settings in the order of their declaration. Objects without metadata are groups; anything else without it is not a setting. */
function schemaFields(schema: z.ZodType, prefix = ""): SchemaField[] {
  const meta = fieldMeta(schema);
  if (meta) return [{ path: prefix, meta, schema }];
  if (schema instanceof z.ZodPrefault) return schemaFields(schema.unwrap() as z.ZodType, prefix);
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([key, member]) =>
    schemaFields(member, prefix ? `${prefix}.${key}` : key),
  );
}

export const MACHINE_FIELDS: readonly SchemaField[] = schemaFields(machineConfigSchema);

export function fieldsOfPage(page: SettingsPage): SchemaField[] {
  return MACHINE_FIELDS.filter((field) => field.meta.page === page);
}

export function settingLabel(path: string): string {
  const field = MACHINE_FIELDS.find((known) => known.path === path);
  return field ? fieldText(field, "label") : path;
}

/** Label or help in the language of the window; the declaration's own words are the English ones. */
export function fieldText({ path, meta }: Pick<SchemaField, "path" | "meta">, part: "label" | "help"): string {
  return configText(path, part, meta[part]);
}

/** Every word must occur in label, help, page or path. */
export function matchesSetting(field: SchemaField, filter: string): boolean {
  const { meta, path } = field;
  const text =
    `${fieldText(field, "label")} ${fieldText(field, "help")} ${meta.label} ${meta.page} ${path}`.toLocaleLowerCase();
  return filter
    .trim()
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The schema without what only says how a value may be left out. */
export function innerSchema(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodNullable;
  return wrapped ? innerSchema(schema.unwrap() as z.ZodType) : schema;
}

/** Limits of a whole-number setting, for sliders and spin buttons. */
export function numberLimits(schema: z.ZodType): { min: number; max: number } {
  const { minValue, maxValue } = innerSchema(schema) as Partial<z.ZodNumber>;
  return { min: minValue ?? 0, max: maxValue ?? Number.MAX_SAFE_INTEGER };
}

/** Choices of an enumeration or of fixed values; empty for anything else. */
export function choices(wrapped: z.ZodType): string[] {
  const schema = innerSchema(wrapped);
  if (schema instanceof z.ZodEnum) return schema.options.map(String);
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
  return [];
}
