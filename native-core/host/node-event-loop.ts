// Node's event loop for the machine's runner.
import { toDisposable } from "../common/disposable.ts";
import type { EventLoop } from "../machine/runner.ts";

export const nodeEventLoop: EventLoop = {
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return toDisposable(() => clearTimeout(timer));
  },
  setImmediate(callback) {
    const immediate = setImmediate(callback);
    return toDisposable(() => clearImmediate(immediate));
  },
};
