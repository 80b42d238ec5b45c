// Plus, minus and zero as keys of a zoom: by what they type, so that they are where the keyboard's layout has them.

/** 1 for larger, -1 for smaller, 0 for the usual size, null for another key. */
export function zoomKey({ key, code }: { readonly key: string; readonly code: string }): 1 | -1 | 0 | null {
  if (key === "+" || code === "NumpadAdd" || (key === "=" && code === "Equal")) return 1;
  if (key === "-" || code === "NumpadSubtract") return -1;
  return key === "0" || code === "Numpad0" ? 0 : null;
}
