// The message channel to main: a forked Node process and an Electron utility process have different ones.

export interface MainPort {
  /** Settles when the message is on its way. */
  send(message: object): Promise<void>;
  onMessage(listener: (message: unknown) => void): void;
  onDisconnect(listener: () => void): void;
}

/** What Electron adds to `process` in a utility process; its port has no end event, the process is killed instead. */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
}

/** Throws when the process was not started by main. */
export function mainPort(): MainPort {
  const { parentPort } = process as unknown as { parentPort?: ParentPort };
  if (parentPort) {
    return {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a message port, not a window
      send: async (message) => parentPort.postMessage(message),
      onMessage: (listener) => parentPort.on("message", (event) => listener(event.data)),
      onDisconnect: () => undefined,
    };
  }
  if (!process.send) throw new Error("this program is started by Terrarium itself");
  return {
    // Failing to send means that main is gone, which `disconnect` tells.
    send: (message) => new Promise((resolve) => void process.send?.(message, () => resolve())),
    onMessage: (listener) => void process.on("message", listener),
    onDisconnect: (listener) => void process.on("disconnect", listener),
  };
}
