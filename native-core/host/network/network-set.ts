// The network adapters of a running machine.
import { AppError } from "../../common/errors.ts";
import { type AdapterConfig, sameHardware } from "../../config/network-settings.ts";
import type { NetworkPart } from "../../machine/cards.ts";
import type { AdapterStatus, NetworkMetrics } from "../../protocol/network.ts";
import { AdapterSlot, type SlotParts } from "./adapter-slot.ts";

export class NetworkSet {
  readonly parts: readonly NetworkPart[];
  readonly #slots: readonly AdapterSlot[];
  #config: readonly AdapterConfig[];

  constructor(adapters: readonly AdapterConfig[], parts: SlotParts) {
    this.#config = adapters;
    this.#slots = adapters.map((adapter) => new AdapterSlot(adapter, parts));
    this.parts = this.#slots.map(({ part }) => part);
  }

  async start(): Promise<void> {
    for (const slot of this.#slots) await slot.start();
  }

  /** New settings for the same hardware. Rejects with the first that can't be had; those before it are in use then. */
  async configure(adapters: readonly AdapterConfig[]): Promise<void> {
    if (!sameHardware(this.#config, adapters)) {
      throw new AppError("INVALID_STATE", "Adapters can't be added, removed or exchanged while the machine runs", {
        field: "adapters",
        consequence: "Nothing was changed.",
        remedy: "Shut the machine down first.",
      });
    }
    const before = this.#config;
    for (const [index, slot] of this.#slots.entries()) {
      const wanted = adapters[index];
      if (!wanted) continue;
      try {
        await slot.configure(wanted);
      } catch (error) {
        for (let done = 0; done < index; done++) {
          const former = before[done];
          if (former) await this.#slots[done]?.configure(former);
        }
        throw error;
      }
    }
    this.#config = adapters;
  }

  async capture(adapterId: string, file: string | null): Promise<void> {
    const slot = this.#slots.find(({ id }) => id === adapterId);
    if (!slot) throw new AppError("NOT_FOUND", `there is no adapter ${adapterId}`, { field: "adapterId" });
    await (file === null ? slot.stopCapture() : slot.startCapture(file));
  }

  status(): AdapterStatus[] {
    return this.#slots.map((slot) => slot.status());
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#slots.map((slot) => slot.close()));
  }
}

/** What all adapters carried, as the metrics show it. */
export function networkMetrics(set: NetworkSet): { network?: NetworkMetrics } {
  const adapters = set.status();
  if (adapters.length === 0) return {};
  const sum = (key: keyof NetworkMetrics) => adapters.reduce((total, { counters }) => total + counters[key], 0);
  return {
    network: {
      receivedBytes: sum("receivedBytes"),
      receivedFrames: sum("receivedFrames"),
      sentBytes: sum("sentBytes"),
      sentFrames: sum("sentFrames"),
    },
  };
}
