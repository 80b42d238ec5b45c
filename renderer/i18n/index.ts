// Translation: English first, keys checked by the compiler; other catalogues are loaded when they are chosen. What is missing in one is
// shown in English.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { en } from "./en.ts";
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

const CATALOGUES: Record<Exclude<Language, "en">, () => Promise<object>> = {
  de: async () => (await import("./de.ts")).de,
};

export async function loadLanguage(language: Language): Promise<void> {
  if (language !== "en" && !i18next.hasResourceBundle(language, "translation"))
    i18next.addResourceBundle(language, "translation", await CATALOGUES[language]());
  await i18next.changeLanguage(language);
}
