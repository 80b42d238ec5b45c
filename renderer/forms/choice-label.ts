// The choices of a setting in words, for its control and for Details. Names that are the same everywhere (x86-64-v2) stay as they are.
import { useTranslation } from "react-i18next";
import { en } from "../i18n/en.ts";

const CHOICES = en.settings.choices;

const isNamed = (choice: string): choice is keyof typeof CHOICES => choice in CHOICES;

export function useChoiceLabel(): (choice: string) => string {
  const { t } = useTranslation();
  return (choice) => (isNamed(choice) ? t(`settings.choices.${choice}`) : choice);
}
