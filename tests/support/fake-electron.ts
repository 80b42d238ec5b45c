// The part of Electron that the shell uses, without Chromium: records what it is told and lets tests play the user and the window.
import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { MenuItemConstructorOptions, MessageBoxOptions } from "electron";

type Handler = (...args: never[]) => unknown;

/** MessagePortMain wraps messages into events. */
export class FakePort {
  readonly port: MessagePort;

  constructor(port: MessagePort) {
    this.port = port;
  }

  on(event: "message" | "close", listener: (event: { data: unknown }) => void): void {
    this.port.on(event as "message", (data: unknown) => listener({ data }));
  }

  postMessage(message: unknown): void {
    this.port.postMessage(message);
  }

  start(): void {
    this.port.start();
  }

  close(): void {
    this.port.close();
  }
}

class FakeSession extends EventEmitter {
  readonly handlers: Record<string, Handler> = {};
  readonly schemes: Record<string, (request: Request) => Promise<Response>> = {};
  readonly protocol = {
    handle: (scheme: string, handler: (request: Request) => Promise<Response>) => {
      this.schemes[scheme] = handler;
    },
  };
  readonly webRequest = {
    onBeforeRequest: (handler: Handler) => {
      this.handlers["beforeRequest"] = handler;
    },
  };

  setPermissionRequestHandler(handler: Handler): void {
    this.handlers["permissionRequest"] = handler;
  }

  setPermissionCheckHandler(handler: Handler): void {
    this.handlers["permissionCheck"] = handler;
  }

  setDevicePermissionHandler(handler: Handler): void {
    this.handlers["devicePermission"] = handler;
  }
}

export class FakeContents extends EventEmitter {
  openHandler: ((details: { url: string }) => { action: string }) | null = null;

  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.openHandler = handler;
  }
}

class FakeWindowContents extends EventEmitter {
  reloads = 0;

  reload(): void {
    this.reloads += 1;
  }

  forcefullyCrashRenderer(): void {}
}

export class FakeWindow extends EventEmitter {
  readonly options: { webPreferences: Record<string, unknown> };
  readonly webContents = new FakeWindowContents();
  url = "";
  shown = 0;

  constructor(options: { webPreferences: Record<string, unknown> }) {
    super();
    this.options = options;
    fake.windows.push(this);
  }

  loadURL(url: string): Promise<void> {
    this.url = url;
    return Promise.resolve();
  }

  isMinimized(): boolean {
    return false;
  }

  show(): void {
    this.shown += 1;
  }

  focus(): void {}

  isDestroyed(): boolean {
    return false;
  }

  getNormalBounds() {
    return { x: 10, y: 20, width: 900, height: 700 };
  }
}

export class FakeTray extends EventEmitter {
  menu: MenuItemConstructorOptions[] = [];
  toolTip = "";
  destroyed = false;

  constructor() {
    super();
    fake.trays.push(this);
  }

  setToolTip(text: string): void {
    this.toolTip = text;
  }

  setContextMenu(menu: MenuItemConstructorOptions[]): void {
    this.menu = menu;
  }

  isDestroyed(): boolean {
    return this.destroyed;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

class FakeApp extends EventEmitter {
  quits = 0;
  exitCode: number | null = null;

  readonly isPackaged = false;

  getAppPath(): string {
    return process.cwd();
  }

  getLocale(): string {
    return "en-GB";
  }

  enableSandbox(): void {}

  requestSingleInstanceLock(): boolean {
    return true;
  }

  setAsDefaultProtocolClient(): boolean {
    return true;
  }

  whenReady(): Promise<void> {
    return Promise.resolve();
  }

  quit(): void {
    this.quits += 1;
  }

  exit(code: number): void {
    this.exitCode = code;
  }
}

export const fake = {
  app: new FakeApp(),
  session: new FakeSession(),
  ipcMain: new EventEmitter(),
  powerMonitor: new EventEmitter(),
  windows: [] as FakeWindow[],
  trays: [] as FakeTray[],
  menuBar: [] as MenuItemConstructorOptions[],
  /** Questions asked, and the button that answers each. */
  questions: [] as MessageBoxOptions[],
  answer: 0,
  privileged: [] as unknown[],
  errors: [] as string[],
};

/** What `import ... from "electron"` gives. */
export function fakeElectron() {
  return {
    app: fake.app,
    session: { defaultSession: fake.session },
    ipcMain: fake.ipcMain,
    BrowserWindow: FakeWindow,
    MessageChannelMain: class {
      readonly port1: FakePort;
      readonly port2: FakePort;

      constructor() {
        const { port1, port2 } = new MessageChannel();
        this.port1 = new FakePort(port1);
        this.port2 = new FakePort(port2);
      }
    },
    protocol: { registerSchemesAsPrivileged: (schemes: unknown[]) => fake.privileged.push(...schemes) },
    nativeTheme: { shouldUseDarkColors: false },
    nativeImage: { createFromPath: () => ({ isEmpty: () => false, resize: () => ({}) }) },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] },
    powerMonitor: fake.powerMonitor,
    Menu: {
      setApplicationMenu: (menu: MenuItemConstructorOptions[]) => (fake.menuBar = menu),
      buildFromTemplate: (template: MenuItemConstructorOptions[]) => template,
    },
    Tray: FakeTray,
    dialog: {
      showErrorBox: (_: string, text: string) => fake.errors.push(text),
      showMessageBox: async (question: MessageBoxOptions) => {
        fake.questions.push(question);
        return { response: fake.answer };
      },
    },
    utilityProcess: {
      fork: () => {
        throw new Error("no process is started in this test");
      },
    },
  };
}
