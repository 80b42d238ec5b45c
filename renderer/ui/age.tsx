// "3 minutes ago", ticking by itself; the exact time is in the tooltip and in the machine-readable attribute.
import { useTranslation } from "react-i18next";
import { ageOf, formatDateTime } from "./format.ts";
import { useNow } from "./use-now.ts";

const TICK_MS = 15_000;

export function Age({ atMs }: { readonly atMs: number }) {
  const { t } = useTranslation();
  const age = ageOf(atMs, useNow(TICK_MS));
  const text = age.unit === "now" ? t("time.now") : t(`time.${age.unit}`, { count: age.count });
  return (
    <time dateTime={new Date(atMs).toISOString()} title={formatDateTime(atMs)}>
      {text}
    </time>
  );
}
