// The menu bar and the tray: only what every desktop app has. Machine commands live in the renderer, which also knows the host key.
import { app, Menu, type MenuItemConstructorOptions, nativeImage, Tray } from "electron";

export function installMenu(): void {
  const template: MenuItemConstructorOptions[] = [
    ...(process.platform === "darwin" ? [{ role: "appMenu" as const }] : []),
    { role: "fileMenu" },
    { role: "editMenu" },
    {
      role: "viewMenu",
      submenu: [{ role: "togglefullscreen" }, { role: "zoomIn" }, { role: "zoomOut" }, { role: "resetZoom" }],
    },
    { role: "windowMenu" },
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}

/** Keeps the app reachable while machines run without a window. */
export function installTray(icon: string, show: () => void): Tray | null {
  const image = nativeImage.createFromPath(icon);
  if (image.isEmpty()) return null;
  const tray = new Tray(image.resize({ width: 18, height: 18 }));
  tray.setToolTip("Terrarium");
  tray.setContextMenu(
    Menu.buildFromTemplate([
      { label: "Show Terrarium", click: show },
      { type: "separator" },
      { label: "Quit (running machines are saved)", click: () => app.quit() },
    ]),
  );
  tray.on("click", show);
  return tray;
}
