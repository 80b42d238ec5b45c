// Which keyboard layout the guest has: the soft keyboard and typed text go by it.
import { useTranslation } from "react-i18next";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { Select } from "../../ui/select.tsx";
import { LAYOUT_NAMES, LAYOUTS, type Layout, layoutName } from "./layouts.ts";

export function useGuestLayout(): Layout {
  return LAYOUTS[layoutName(usePreference("guestLayout"))];
}

export function LayoutSelect() {
  const { t } = useTranslation();
  return (
    <Select
      aria-label={t("display.layout")}
      title={t("display.layout")}
      value={layoutName(usePreference("guestLayout"))}
      options={LAYOUT_NAMES.map((value) => ({ value, label: t(`display.layouts.${value}`) }))}
      onChange={(event) => setPreference("guestLayout", event.target.value)}
    />
  );
}
