// The pages of the settings dialog, as vertical tabs. A page with a mistake is marked.
import type { KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import type { SettingsPage } from "../../../native-core/config/field.ts";
import { PAGES_WITH_FIELDS } from "./use-settings.ts";

interface Props {
  /** Null while the filter shows settings of all pages. */
  readonly page: SettingsPage | null;
  readonly invalidPages: ReadonlySet<SettingsPage>;
  onSelect(page: SettingsPage): void;
}

const tabId = (page: SettingsPage): string => `settings-page-${page}`;

export function SettingsPages({ page, invalidPages, onSelect }: Props) {
  const { t } = useTranslation();
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const count = PAGES_WITH_FIELDS.length;
    const current = page ? PAGES_WITH_FIELDS.indexOf(page) : 0;
    const next = PAGES_WITH_FIELDS[(current + step + count) % count] ?? "general";
    onSelect(next);
    document.getElementById(tabId(next))?.focus();
    event.preventDefault();
  };
  return (
    <div role="tablist" aria-orientation="vertical" aria-label={t("settings.pagesLabel")}>
      {PAGES_WITH_FIELDS.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={tabId(name)}
          className="settings-page"
          aria-selected={name === page}
          aria-controls="settings-content"
          data-invalid={invalidPages.has(name) || undefined}
          tabIndex={name === (page ?? PAGES_WITH_FIELDS[0]) ? 0 : -1}
          onKeyDown={onKey}
          onClick={() => onSelect(name)}
        >
          {t(`settings.pages.${name}`)}
        </button>
      ))}
    </div>
  );
}
