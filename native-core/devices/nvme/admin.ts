// Admin commands that need nothing but the controller's own data (NVMe 1.4, 5): identify, log pages, features.

import { scatter } from "../../common/pieces.ts";
import type { GuestMemory } from "../device.ts";
import { DmaBuffer } from "../dma-buffer.ts";
import { activeNamespaces, identifyController, identifyNamespace, logPage } from "./identify.ts";
import type { Namespace } from "./namespace.ts";
import { prpSegments } from "./prp.ts";
import type { Command } from "./queues.ts";
import { ADMIN, FEATURE, IO_QUEUES, PAGE_BYTES, STATUS } from "./registers.ts";

const CNS = { NAMESPACE: 0, CONTROLLER: 1, ACTIVE_NAMESPACES: 2, DESCRIPTORS: 3 } as const;
const LOG_MAX_BYTES = PAGE_BYTES;

export interface Answer {
  readonly status: number;
  readonly result?: number;
}

export type Features = Record<string, number>;

/** Values at power-on, by feature. */
export function initialFeatures(): Features {
  return { [FEATURE.TEMPERATURE_THRESHOLD]: 0x157, [FEATURE.VOLATILE_WRITE_CACHE]: 1 };
}

const KNOWN_FEATURES: readonly number[] = Object.values(FEATURE);

export class AdminData {
  readonly #memory: GuestMemory;
  readonly #serial: string;
  readonly #namespaces: readonly Namespace[];
  features = initialFeatures();

  constructor(memory: GuestMemory, serial: string, namespaces: readonly Namespace[]) {
    this.#memory = memory;
    this.#serial = serial;
    this.#namespaces = namespaces;
  }

  get writeCache(): boolean {
    return ((this.features[FEATURE.VOLATILE_WRITE_CACHE] ?? 0) & 1) !== 0;
  }

  /** Undefined: not a command that is answered here. */
  execute(command: Command): Answer | undefined {
    switch (command.opcode) {
      case ADMIN.IDENTIFY:
        return this.#identify(command);
      case ADMIN.GET_LOG_PAGE:
        return this.#logPage(command);
      case ADMIN.SET_FEATURES:
        return this.#setFeature(command.word(10) & 0xff, command.word(11));
      case ADMIN.GET_FEATURES:
        return this.#getFeature(command.word(10) & 0xff, command.word(11));
      case ADMIN.ABORT:
        // Nothing can be called back: bit 0 says so.
        return { status: STATUS.SUCCESS, result: 1 };
      default:
        return undefined;
    }
  }

  #identify(command: Command): Answer {
    const namespace = this.#namespaces[command.namespace - 1];
    switch (command.word(10) & 0xff) {
      case CNS.CONTROLLER:
        return this.#reply(command, identifyController(this.#serial, this.#namespaces.length));
      case CNS.NAMESPACE:
        if (command.namespace === 0 || command.namespace > this.#namespaces.length) {
          return { status: STATUS.INVALID_NAMESPACE };
        }
        return this.#reply(
          command,
          namespace ? identifyNamespace(namespace.disk.sizeBytes, namespace.disk.readOnly) : new Uint8Array(PAGE_BYTES),
        );
      case CNS.ACTIVE_NAMESPACES:
        return this.#reply(command, activeNamespaces(this.#namespaces.length, command.namespace));
      case CNS.DESCRIPTORS:
        return namespace ? this.#reply(command, new Uint8Array(PAGE_BYTES)) : { status: STATUS.INVALID_NAMESPACE };
      default:
        return { status: STATUS.INVALID_FIELD };
    }
  }

  #logPage(command: Command): Answer {
    const page = logPage(command.word(10) & 0xff);
    if (!page) return { status: STATUS.INVALID_LOG_PAGE };
    const length = ((command.word(10) >>> 16) + (command.word(11) & 0xffff) * 2 ** 16 + 1) * 4;
    const offset = command.long(12);
    if (offset >= page.length) return { status: STATUS.INVALID_FIELD };
    const data = new Uint8Array(Math.min(length, LOG_MAX_BYTES));
    data.set(page.subarray(offset, offset + data.length));
    return this.#reply(command, data);
  }

  #setFeature(id: number, value: number): Answer {
    if (!KNOWN_FEATURES.includes(id)) return { status: STATUS.INVALID_FIELD };
    if (id === FEATURE.NUMBER_OF_QUEUES) return { status: STATUS.SUCCESS, result: queueCounts() };
    this.features[id] = value;
    return { status: STATUS.SUCCESS };
  }

  #getFeature(id: number, value: number): Answer {
    if (!KNOWN_FEATURES.includes(id)) return { status: STATUS.INVALID_FIELD };
    if (id === FEATURE.NUMBER_OF_QUEUES) return { status: STATUS.SUCCESS, result: queueCounts() };
    if (id === FEATURE.INTERRUPT_VECTOR) return { status: STATUS.SUCCESS, result: value & 0xffff };
    return { status: STATUS.SUCCESS, result: this.features[id] ?? 0 };
  }

  #reply(command: Command, data: Uint8Array): Answer {
    const segments = prpSegments(this.#memory, command.long(6), command.long(8), data.length);
    if (typeof segments === "number") return { status: segments };
    const buffer = new DmaBuffer(this.#memory, segments, true);
    scatter(data, buffer.pieces);
    buffer.finish();
    return { status: STATUS.SUCCESS };
  }
}

/** Queues of each kind, less one, in both halves. */
function queueCounts(): number {
  return (IO_QUEUES - 1) | ((IO_QUEUES - 1) << 16);
}
