// The value of a setting as text, for comparisons: with its unit, choices in words, nested settings without brackets.
import { useTranslation } from "react-i18next";
import { unitText } from "../i18n/config-texts.ts";
import { formatMiB } from "../ui/format.ts";
import { useChoiceLabel } from "./choice-label.ts";
import { choices, MACHINE_FIELDS } from "./schema-fields.ts";

/** `path` as in `MACHINE_FIELDS`; settings of a newer host are shown without what is declared about them. */
export function useSettingText(): (path: string, value: unknown) => string {
  const { t } = useTranslation();
  const choiceLabel = useChoiceLabel();
  const plain = (value: unknown): string => {
    if (value === null || value === undefined || value === "") return t("common.none");
    if (typeof value === "boolean") return t(value ? "common.on" : "common.off");
    if (typeof value !== "object") return String(value);
    if (Array.isArray(value)) return value.length === 0 ? t("common.none") : value.map(plain).join("; ");
    return Object.entries(value)
      .map(([key, part]) => `${key}: ${plain(part)}`)
      .join(", ");
  };
  return (path, value) => {
    const { meta, schema } = MACHINE_FIELDS.find((field) => field.path === path) ?? {};
    if (typeof value === "number" && meta?.unit !== undefined) {
      return meta.unit === "MiB" ? formatMiB(value) : `${value} ${unitText(meta.unit)}`;
    }
    return typeof value === "string" && schema && choices(schema).includes(value) ? choiceLabel(value) : plain(value);
  };
}
