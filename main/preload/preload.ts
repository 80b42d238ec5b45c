// The bridge into the window, the only code with access to both sides: it forwards requests for ports and hands ports over.
import { contextBridge, ipcRenderer, webUtils } from "electron";
import { PORT, REQUEST_PORT } from "../desktop/ipc-names.ts";

/** The part of the window that is used; main is compiled without DOM typings. */
interface PageWindow {
  readonly location: { readonly origin: string };
  postMessage(message: unknown, targetOrigin: string, transfer: readonly unknown[]): void;
}
const page = globalThis as unknown as PageWindow;

// Ports can't cross the context bridge; a message to the page itself can carry them.
ipcRenderer.on(PORT, (event, id: string) => page.postMessage({ terrariumPort: id }, page.location.origin, event.ports));

contextBridge.exposeInMainWorld("terrarium", {
  requestPort(id: string, target: string): void {
    ipcRenderer.send(REQUEST_PORT, id, target);
  },
  // Electron answers for files that the user handed to the window, and for nothing else.
  pathOf(file: Parameters<typeof webUtils.getPathForFile>[0]): string {
    return webUtils.getPathForFile(file);
  },
});
