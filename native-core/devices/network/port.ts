// What every adapter model has of the network: frames out while the cable is in, frames in through a queue, and the cable itself.
import type { Frame } from "../../network/frame.ts";
import type { NetworkAdapterOptions } from "./adapter.ts";
import { ReceiveQueue } from "./receive-queue.ts";

export interface NetworkPortParts {
  /** Puts a frame into the driver's buffers; see ReceiveQueue. */
  readonly place: (frame: Frame) => boolean;
  /** After a run of `place`: tell the driver, unless `place` has. */
  readonly placed?: () => void;
  /** The driver has to look at `linkUp`. */
  readonly linkChanged: () => void;
}

export class NetworkPort {
  readonly end: ReceiveQueue;
  readonly #options: NetworkAdapterOptions;
  readonly #linkChanged: () => void;
  #linkUp: boolean;

  constructor(options: NetworkAdapterOptions, { place, placed, linkChanged }: NetworkPortParts) {
    this.#options = options;
    this.#linkUp = options.linkUp;
    this.#linkChanged = linkChanged;
    this.end = new ReceiveQueue({
      ...{ deliver: options.deliver, place, placed: placed ?? (() => undefined) },
      roomAgain: () => options.backend.roomAgain(),
    });
  }

  get linkUp(): boolean {
    return this.#linkUp;
  }

  setLink(up: boolean): void {
    this.#options.deliver(() => {
      if (this.#linkUp === up) return;
      this.#linkUp = up;
      this.#linkChanged();
    });
  }

  /** The network is another one than the driver knows, as after a restore: it looks at the link again. */
  announce(): void {
    this.#options.deliver(() => this.#linkChanged());
  }

  /** False without a cable: the frame is lost. `flush` follows a run of these. */
  send(frame: Frame): boolean {
    if (this.#linkUp) this.#options.backend.receive(frame);
    return this.#linkUp;
  }

  flush(): void {
    this.#options.backend.flush();
  }
}
