// The part of Electron that the shell uses, without Chromium: records what it is told and lets tests play the user and the window.
import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort } from "node:worker_threads";

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

export class FakeWindow extends EventEmitter {
  readonly options: { webPreferences: Record<string, unknown> };
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
}

class FakeApp extends EventEmitter {
  quits = 0;
  exitCode: number | null = null;

  getAppPath(): string {
    return process.cwd();
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
  windows: [] as FakeWindow[],
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
    nativeImage: { createFromPath: () => ({ isEmpty: () => true }) },
    Menu: { setApplicationMenu: () => undefined, buildFromTemplate: () => ({}) },
    Tray: class {},
    dialog: { showErrorBox: (_: string, text: string) => fake.errors.push(text) },
    utilityProcess: {
      fork: () => {
        throw new Error("no process is started in this test");
      },
    },
  };
}
