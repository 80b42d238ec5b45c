// The network adapters of a running machine.
import { AppError } from "../../common/errors.ts";
import { type AdapterConfig, exchangesHardware } from "../../config/network-settings.ts";
import type { NetworkPart } from "../../machine/cards.ts";
import type { AdapterStatus, NetworkMetrics, PortElsewhere } from "../../protocol/network.ts";
import { AdapterSlot, type SlotParts } from "./adapter-slot.ts";

/** Puts adapters into the running machine, and takes them out: false when the guest keeps one. */
interface AdapterPlugging {
  attachAdapter(part: NetworkPart): void;
  detachAdapter(part: NetworkPart): Promise<boolean>;
}

export class NetworkSet {
  readonly #parts: SlotParts;
  #portsElsewhere: readonly PortElsewhere[];
  #slots: readonly AdapterSlot[];
  #config: readonly AdapterConfig[];

  constructor(
    adapters: readonly AdapterConfig[],
    parts: Omit<SlotParts, "portsElsewhere">,
    portsElsewhere: readonly PortElsewhere[] = [],
  ) {
    this.#config = adapters;
    this.#portsElsewhere = portsElsewhere;
    this.#parts = { ...parts, portsElsewhere: () => this.#portsElsewhere };
    this.#slots = adapters.map((adapter) => new AdapterSlot(adapter, this.#parts));
  }

  get parts(): readonly NetworkPart[] {
    return this.#slots.map(({ part }) => part);
  }

  async start(): Promise<void> {
    for (const slot of this.#slots) await slot.start();
  }

  /** New settings, and at most one adapter more or less. Rejects, with all as it was, when they can't be had. */
  async configure(
    adapters: readonly AdapterConfig[],
    plugging: AdapterPlugging,
    portsElsewhere: readonly PortElsewhere[] = [],
  ): Promise<void> {
    this.#portsElsewhere = portsElsewhere;
    const before = this.#config;
    const added = adapters.filter(({ id }) => !before.some((adapter) => adapter.id === id));
    const removed = this.#slots.filter(({ id }) => !adapters.some((adapter) => adapter.id === id));
    const kept = (list: readonly AdapterConfig[]) =>
      list.filter(({ id }) => before.some((each) => each.id === id) && adapters.some((each) => each.id === id));
    if (added.length + removed.length > 1 || exchangesHardware(before, adapters)) {
      throw new AppError("INVALID_STATE", "A running machine is given or relieved of one adapter at a time", {
        field: "adapters",
        consequence: "Nothing was changed.",
        remedy: "Change one after the other, or shut the machine down first.",
      });
    }
    const [leaving] = removed;
    if (leaving && !(await plugging.detachAdapter(leaving.part))) {
      throw new AppError("INVALID_STATE", `The guest keeps using ${leaving.id}`, {
        field: "adapters",
        consequence: "Nothing was changed.",
        remedy: "Take the adapter out of use in the guest, or shut the machine down first.",
      });
    }
    try {
      await this.#configureKept(kept(before), kept(adapters));
    } catch (error) {
      if (leaving) plugging.attachAdapter(leaving.part);
      throw error;
    }
    await leaving?.close();
    const arriving = added.map((adapter) => new AdapterSlot(adapter, this.#parts));
    const present = [...this.#slots.filter((slot) => slot !== leaving), ...arriving];
    for (const slot of arriving) {
      plugging.attachAdapter(slot.part);
      await slot.start();
    }
    this.#slots = adapters.flatMap(({ id }) => present.filter((slot) => slot.id === id));
    this.#config = adapters;
  }

  async #configureKept(before: readonly AdapterConfig[], wanted: readonly AdapterConfig[]): Promise<void> {
    const slotOf = ({ id }: AdapterConfig) => this.#slots.find((slot) => slot.id === id);
    for (const [index, adapter] of wanted.entries()) {
      try {
        await slotOf(adapter)?.configure(adapter);
      } catch (error) {
        for (const former of before.slice(0, index)) await slotOf(former)?.configure(former);
        throw error;
      }
    }
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
