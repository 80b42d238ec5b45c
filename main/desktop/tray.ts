// The tray: keeps the app reachable while machines run without a window, and follows what runs.
import { Menu, nativeImage, Tray } from "electron";
import type { MachineSummary } from "../contract/schemas.ts";
import type { App } from "../services/app.ts";
import { failureOf } from "../services/failures.ts";
import { type TrayActions, type TrayCommand, trayMenu } from "./menu-templates.ts";
import { countText, type Texts } from "./texts.ts";

/** Drawing a menu anew closes an open one, so several changes at once are one. */
const REDRAW_AFTER_MS = 100;

/** Null where there is no picture for it. The caller holds the tray, or the garbage collector takes it away. */
export function installTray(
  icon: string,
  services: App,
  texts: () => Texts,
  actions: Omit<TrayActions, "run">,
): Tray | null {
  const image = nativeImage.createFromPath(icon);
  if (image.isEmpty()) return null;
  const tray = new Tray(image.resize({ width: 18, height: 18 }));
  const all: TrayActions = { ...actions, run: (command, id) => void perform(services, command, id) };
  let timer: NodeJS.Timeout | null = null;
  const draw = () => {
    timer = null;
    if (tray.isDestroyed()) return;
    const running = runningMachines(services);
    tray.setToolTip(`Terrarium\n${countText(texts(), running.length)}`);
    tray.setContextMenu(Menu.buildFromTemplate(trayMenu(running, texts(), all)));
  };
  services.context.events.onChange((change) => {
    const isOurs = change.kind === "preferences" ? "language" in change.changes : change.kind.startsWith("machine");
    if (isOurs) timer ??= setTimeout(draw, REDRAW_AFTER_MS);
  });
  tray.on("click", () => actions.show(null));
  draw();
  return tray;
}

function runningMachines(services: App): MachineSummary[] {
  return services.running().map((machine) => machine.summary());
}

async function perform({ context, lifecycle }: App, command: TrayCommand, id: string): Promise<void> {
  const machine = context.registry.get(id);
  try {
    if (command === "pause") await lifecycle.pause(machine);
    else if (command === "resume") await lifecycle.resume(machine);
    else await lifecycle.stop(machine, command);
  } catch (error) {
    // The page shows what became of the machine; why is in its log.
    void machine.log.write("error", `The tray's command failed: ${failureOf(error).message}`);
  }
}
