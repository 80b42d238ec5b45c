// The language of the window: another catalogue is loaded when it is chosen; screen readers are told by the page's `lang`.
import { useEffect } from "react";
import { loadLanguage } from "../i18n/index.ts";
import { languageFor } from "../i18n/languages.ts";
import { usePreference } from "./preferences.ts";

export function useApplyLanguage(): void {
  const chosen = usePreference("language");
  useEffect(() => {
    const language = languageFor(chosen, navigator.languages);
    void loadLanguage(language).then(() => {
      document.documentElement.lang = language;
    });
  }, [chosen]);
}
