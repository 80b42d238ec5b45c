// Light, dark or as the system says. The choice is one attribute on <html> plus Blueprint's class on <body> (portals included).
import { Classes } from "@blueprintjs/core";
import { useEffect, useSyncExternalStore } from "react";
import { usePreference } from "./preferences.ts";

const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

function subscribe(listener: () => void): () => void {
  systemDark.addEventListener("change", listener);
  return () => systemDark.removeEventListener("change", listener);
}

export function useDarkTheme(): boolean {
  const theme = usePreference("theme");
  const system = useSyncExternalStore(subscribe, () => systemDark.matches);
  return theme === "dark" || (theme === "system" && system);
}

export function useApplyTheme(): void {
  const dark = useDarkTheme();
  useEffect(() => {
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
    document.body.classList.toggle(Classes.DARK, dark);
  }, [dark]);
}
