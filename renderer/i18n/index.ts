// Translation: English first, keys checked by the compiler; other catalogues are loaded when they are chosen. What is missing in one is
// shown in English.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import type { Catalogue, ConfigTexts } from "./catalogue.ts";
import { setConfigTexts } from "./config-texts.ts";
import { en } from "./en.ts";
import { type FailureTexts, setFailureTexts } from "./failure-texts.ts";
import type { Language } from "./languages.ts";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof en };
  }
}

void i18next.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  resources: { en: { translation: en } },
  // React escapes what it renders.
  interpolation: { escapeValue: false },
  initAsync: false,
});

export const i18n = i18next;

interface Loaded {
  readonly texts: Catalogue;
  readonly config: ConfigTexts;
  readonly failures?: FailureTexts;
}

const CATALOGUES: Record<Exclude<Language, "en">, () => Promise<Loaded>> = {
  async de() {
    const [{ de }, { deConfig }, { deFailures }] = await Promise.all([
      import("./de.ts"),
      import("./de-config.ts"),
      import("./de-failures.ts"),
    ]);
    return { texts: de, config: deConfig, failures: deFailures };
  },
  async pseudo() {
    const { pseudoTexts, pseudoConfig } = await import("./pseudo.ts");
    return { texts: pseudoTexts, config: pseudoConfig };
  },
};

export async function loadLanguage(language: Language): Promise<void> {
  const loaded = language === "en" ? null : await CATALOGUES[language]();
  if (loaded) i18next.addResourceBundle(language, "translation", loaded.texts);
  setConfigTexts(loaded?.config);
  setFailureTexts(loaded?.failures);
  await i18next.changeLanguage(language);
}
