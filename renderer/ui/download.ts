// Hands a blob to the user as a file.
export function download(fileName: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName.replace(/[\\/:*?"<>|]+/g, "-");
  link.click();
  // The download has its own reference once it started.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function pngBlob(base64: string): Blob {
  return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], { type: "image/png" });
}
