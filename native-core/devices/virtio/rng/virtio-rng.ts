// virtio-rng (virtio 1.2 5.4): fills whatever the driver offers with random bytes from the inputs boundary.
import { z } from "zod";
import type { Inputs } from "../../device.ts";
import { DEVICE_ID } from "../constants.ts";
import type { VirtioModel, VirtioTransportServices } from "../model.ts";

/** A short answer is allowed (virtio 1.2 5.4.6); nobody gets to make the host draw megabytes at once. */
const MAX_BYTES_PER_BUFFER = 4096;

const rngStateSchema = z.object({});
type VirtioRngState = z.infer<typeof rngStateSchema>;

export class VirtioRng implements VirtioModel<VirtioRngState> {
  readonly deviceId = DEVICE_ID.ENTROPY;
  readonly pciClass = 0x00ff;
  readonly features = 0n;
  readonly queueSizes = [8];
  readonly configLength = 0;
  readonly stateSchema = rngStateSchema;
  readonly #inputs: Pick<Inputs, "random">;
  #services!: VirtioTransportServices;

  constructor(inputs: Pick<Inputs, "random">) {
    this.#inputs = inputs;
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  notified(): void {
    const queue = this.#services.queues[0];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      const bytes = new Uint8Array(Math.min(chain.writableBytes, MAX_BYTES_PER_BUFFER));
      this.#inputs.random(bytes);
      chain.write(0, bytes);
      queue.push(chain, bytes.length);
    }
    this.#services.signal(queue);
  }

  readConfig(): number {
    return 0;
  }

  writeConfig(): void {}

  reset(): void {}

  save(): VirtioRngState {
    return {};
  }

  restore(): void {}
}
