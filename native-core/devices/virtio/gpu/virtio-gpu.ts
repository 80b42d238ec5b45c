// virtio-gpu, 2D (virtio 1.2 5.7): the guest draws in its own memory, says which rectangles have changed, and which resource is shown.
// One scanout, EDID, a pointer in a queue of its own. The monitor's size follows the host's window.
import { z } from "zod";
import type { AccessSize, GuestMemory } from "../../device.ts";
import type { DisplaySize, Rect } from "../../display-source.ts";
import { bytes, flag, u32 } from "../../state-schema.ts";
import { buildEdid } from "../../vga/edid.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import {
  EDID_ROOM,
  FORMATS,
  GPU_CMD,
  GPU_CONFIG,
  GPU_EVENT_DISPLAY,
  GPU_FLAG_FENCE,
  GPU_RESP,
  HEADER_BYTES,
  MAX_SCANOUTS,
  SCANOUT_BYTES,
  VIRTIO_GPU_F_EDID,
} from "./protocol.ts";
import {
  BACKING_MAX_ENTRIES,
  type BackingEntry,
  PIXEL_BYTES,
  RESOURCE_MAX_SIDE,
  RESOURCES_MAX_BYTES,
  Resource,
  resourceStateSchema,
} from "./resource.ts";
import { CURSOR_SIDE, Scanout } from "./scanout.ts";

/** What the monitor takes: an EDID's timing has 12 bits for a side, drivers want even widths. */
const MONITOR = { MIN_WIDTH: 320, MIN_HEIGHT: 200, MAX_WIDTH: 3840, MAX_HEIGHT: 2400, WIDTH_STEP: 8 } as const;
const CONTROL_QUEUE = 0;
const BACKING_ENTRY_BYTES = 16;
const MAX_REQUEST_BYTES = HEADER_BYTES + 8 + BACKING_MAX_ENTRIES * BACKING_ENTRY_BYTES;
const MAX_RESOURCES = 4096;

const side = z.int().min(0).max(RESOURCE_MAX_SIDE);
const i32 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);
const stateSchema = z.strictObject({
  events: u32,
  monitor: z.strictObject({
    width: z.int().min(MONITOR.MIN_WIDTH).max(MONITOR.MAX_WIDTH),
    height: z.int().min(MONITOR.MIN_HEIGHT).max(MONITOR.MAX_HEIGHT),
  }),
  resources: z.array(resourceStateSchema).max(MAX_RESOURCES),
  scanout: z.strictObject({ active: flag, resource: u32, x: side, y: side, width: side, height: side }),
  cursor: z.strictObject({
    ...{ x: i32, y: i32, hotX: i32, hotY: i32 },
    image: bytes(CURSOR_SIDE * CURSOR_SIDE * PIXEL_BYTES).nullable(),
  }),
});
type VirtioGpuState = z.infer<typeof stateSchema>;

/** What a command comes to: a bare response type, or a response with a body behind its header. */
type Reply = number | Uint8Array;

export class VirtioGpu implements VirtioModel<VirtioGpuState> {
  readonly deviceId = DEVICE_ID.GPU;
  readonly pciClass = 0x0380;
  readonly features = VIRTIO_GPU_F_EDID;
  readonly queueSizes = [256, 16];
  readonly configLength = GPU_CONFIG.LENGTH;
  readonly stateSchema = stateSchema;
  readonly scanout = new Scanout();
  readonly #memory: GuestMemory;
  readonly #resources = new Map<number, Resource>();
  #usedBytes = 0;
  #monitor: DisplaySize;
  #events = 0;
  #services!: VirtioTransportServices;

  constructor(memory: GuestMemory, monitor: DisplaySize) {
    this.#memory = memory;
    this.#monitor = acceptable(monitor);
  }

  /** The monitor gets another size: the guest is told, and may set a mode of that size. */
  resize(size: DisplaySize): void {
    const monitor = acceptable(size);
    if (monitor.width === this.#monitor.width && monitor.height === this.#monitor.height) return;
    this.#monitor = monitor;
    this.#events |= GPU_EVENT_DISPLAY;
    this.#services.configChanged();
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    const config = new Uint8Array(GPU_CONFIG.LENGTH);
    config[GPU_CONFIG.EVENTS_READ] = this.#events;
    config[GPU_CONFIG.SCANOUTS] = 1;
    return readConfigBytes(config, offset, size);
  }

  writeConfig(offset: number, _size: AccessSize, value: number): void {
    if (offset === GPU_CONFIG.EVENTS_CLEAR) this.#events &= ~value;
  }

  notified(queueIndex: number): void {
    const queue = this.#services.queues[queueIndex];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      if (queueIndex === CONTROL_QUEUE) queue.push(chain, this.#answer(chain));
      else {
        this.#cursorCommand(request(chain));
        queue.push(chain, 0);
      }
    }
    this.#services.signal(queue);
  }

  reset(): void {
    this.#resources.clear();
    this.#usedBytes = 0;
    this.#events = 0;
    this.scanout.reset();
  }

  save(): VirtioGpuState {
    const { active, resource, view } = this.scanout;
    return {
      events: this.#events,
      monitor: { ...this.#monitor },
      resources: [...this.#resources.values()].map((each) => each.save()),
      scanout: { active, resource: resource?.id ?? 0, ...view },
      cursor: this.scanout.saveCursor(),
    };
  }

  /** What does not fit together in a hostile state is left out. */
  restore(state: VirtioGpuState): void {
    this.reset();
    this.#events = state.events & GPU_EVENT_DISPLAY;
    this.#monitor = acceptable(state.monitor);
    for (const saved of state.resources) {
      if (this.#usedBytes + saved.pixels.length > RESOURCES_MAX_BYTES || this.#resources.has(saved.id)) continue;
      const resource = Resource.restore(saved);
      this.#resources.set(resource.id, resource);
      this.#usedBytes += resource.sizeBytes;
    }
    const { active, resource: id, ...view } = state.scanout;
    const resource = this.#resources.get(id);
    this.scanout.restoreView(resource?.contains(view) ? resource : undefined, view, active);
    this.scanout.restoreCursor(state.cursor);
  }

  /** Runs a command of the control queue. Returns the length of the response. */
  #answer(chain: DescriptorChain): number {
    const view = request(chain);
    const reply = view ? this.#execute(view) : GPU_RESP.ERR_UNSPEC;
    const response = typeof reply === "number" ? new Uint8Array(HEADER_BYTES) : reply;
    const header = new DataView(response.buffer);
    if (typeof reply === "number") header.setUint32(0, reply, true);
    if (view && view.getUint32(4, true) & GPU_FLAG_FENCE) {
      // Commands are complete when they are answered; the fence says which one this was.
      header.setUint32(4, GPU_FLAG_FENCE, true);
      header.setBigUint64(8, view.getBigUint64(8, true), true);
      header.setUint32(16, view.getUint32(16, true), true);
    }
    const length = Math.min(response.length, chain.writableBytes);
    chain.write(0, response.subarray(0, length));
    return length;
  }

  #execute(view: DataView): Reply {
    const body = HEADER_BYTES;
    const word = (offset: number) => (body + offset + 4 <= view.byteLength ? view.getUint32(body + offset, true) : 0);
    const rect = (): Rect => ({ x: word(0), y: word(4), width: word(8), height: word(12) });
    switch (view.getUint32(0, true)) {
      case GPU_CMD.GET_DISPLAY_INFO:
        return this.#displayInfo();
      case GPU_CMD.GET_EDID:
        return word(0) === 0 ? this.#edid() : GPU_RESP.ERR_INVALID_SCANOUT_ID;
      case GPU_CMD.RESOURCE_CREATE_2D:
        return this.#create(word(0), word(4), word(8), word(12));
      case GPU_CMD.RESOURCE_UNREF:
        return this.#with(word(0), (resource) => this.#remove(resource));
      case GPU_CMD.RESOURCE_ATTACH_BACKING:
        return this.#with(word(0), (resource) => this.#attachBacking(resource, word(4), view));
      case GPU_CMD.RESOURCE_DETACH_BACKING:
        return this.#with(word(0), (resource) => {
          resource.detach();
          return GPU_RESP.OK_NODATA;
        });
      case GPU_CMD.TRANSFER_TO_HOST_2D:
        return this.#with(word(24), (resource) => {
          const area = rect();
          if (!resource.contains(area)) return GPU_RESP.ERR_INVALID_PARAMETER;
          if (!resource.hasBacking) return GPU_RESP.ERR_UNSPEC;
          resource.transfer(this.#memory, area, word(16) + word(20) * 2 ** 32);
          return GPU_RESP.OK_NODATA;
        });
      case GPU_CMD.RESOURCE_FLUSH:
        return this.#with(word(16), (resource) => {
          const area = rect();
          if (!resource.contains(area)) return GPU_RESP.ERR_INVALID_PARAMETER;
          this.scanout.flush(resource, area);
          return GPU_RESP.OK_NODATA;
        });
      case GPU_CMD.SET_SCANOUT:
        return this.#setScanout(rect(), word(16), word(20));
      default:
        return GPU_RESP.ERR_UNSPEC;
    }
  }

  #with(id: number, apply: (resource: Resource) => Reply): Reply {
    const resource = this.#resources.get(id);
    return resource ? apply(resource) : GPU_RESP.ERR_INVALID_RESOURCE_ID;
  }

  #create(id: number, format: number, width: number, height: number): Reply {
    if (id === 0 || this.#resources.has(id)) return GPU_RESP.ERR_INVALID_RESOURCE_ID;
    if (!FORMATS.has(format) || width === 0 || height === 0) return GPU_RESP.ERR_INVALID_PARAMETER;
    if (width > RESOURCE_MAX_SIDE || height > RESOURCE_MAX_SIDE) return GPU_RESP.ERR_INVALID_PARAMETER;
    const sizeBytes = width * height * PIXEL_BYTES;
    if (this.#usedBytes + sizeBytes > RESOURCES_MAX_BYTES || this.#resources.size >= MAX_RESOURCES) {
      return GPU_RESP.ERR_OUT_OF_MEMORY;
    }
    this.#resources.set(id, new Resource(id, format, width, height));
    this.#usedBytes += sizeBytes;
    return GPU_RESP.OK_NODATA;
  }

  #remove(resource: Resource): Reply {
    if (this.scanout.resource === resource) this.scanout.hide();
    this.#resources.delete(resource.id);
    this.#usedBytes -= resource.sizeBytes;
    return GPU_RESP.OK_NODATA;
  }

  #attachBacking(resource: Resource, count: number, view: DataView): Reply {
    const first = HEADER_BYTES + 8;
    if (resource.hasBacking) return GPU_RESP.ERR_UNSPEC;
    if (count > BACKING_MAX_ENTRIES || first + count * BACKING_ENTRY_BYTES > view.byteLength) {
      return GPU_RESP.ERR_INVALID_PARAMETER;
    }
    const entries: BackingEntry[] = [];
    for (let at = first; entries.length < count; at += BACKING_ENTRY_BYTES) {
      const address = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const length = view.getUint32(at + 8, true);
      if (address + length > this.#memory.sizeBytes) return GPU_RESP.ERR_INVALID_PARAMETER;
      entries.push({ address, length });
    }
    resource.attach(entries);
    return GPU_RESP.OK_NODATA;
  }

  #setScanout(view: Rect, scanoutId: number, resourceId: number): Reply {
    if (scanoutId !== 0) return GPU_RESP.ERR_INVALID_SCANOUT_ID;
    if (resourceId === 0) {
      this.scanout.hide();
      return GPU_RESP.OK_NODATA;
    }
    return this.#with(resourceId, (resource) => {
      if (view.width === 0 || view.height === 0 || !resource.contains(view)) return GPU_RESP.ERR_INVALID_PARAMETER;
      this.scanout.show(resource, view);
      return GPU_RESP.OK_NODATA;
    });
  }

  #cursorCommand(view: DataView | undefined): void {
    // struct virtio_gpu_update_cursor: header, scanout, x, y, padding, resource, hot x, hot y, padding.
    if (!view || view.byteLength < HEADER_BYTES + 28) return;
    const type = view.getUint32(0, true);
    const field = (index: number) => view.getInt32(HEADER_BYTES + index * 4, true);
    if (field(0) !== 0 || (type !== GPU_CMD.UPDATE_CURSOR && type !== GPU_CMD.MOVE_CURSOR)) return;
    this.scanout.moveCursor(field(1), field(2));
    if (type === GPU_CMD.MOVE_CURSOR) return;
    const resource = this.#resources.get(field(4) >>> 0);
    const fits = resource?.width === CURSOR_SIDE && resource.height === CURSOR_SIDE;
    this.scanout.setCursor(fits ? resource : undefined, field(5), field(6));
  }

  #displayInfo(): Uint8Array {
    const response = new Uint8Array(HEADER_BYTES + MAX_SCANOUTS * SCANOUT_BYTES);
    const view = new DataView(response.buffer);
    view.setUint32(0, GPU_RESP.OK_DISPLAY_INFO, true);
    // Rectangle x, y, width, height; enabled; flags.
    view.setUint32(HEADER_BYTES + 8, this.#monitor.width, true);
    view.setUint32(HEADER_BYTES + 12, this.#monitor.height, true);
    view.setUint32(HEADER_BYTES + 16, 1, true);
    return response;
  }

  #edid(): Uint8Array {
    const response = new Uint8Array(HEADER_BYTES + 8 + EDID_ROOM);
    const view = new DataView(response.buffer);
    const edid = buildEdid(this.#monitor.width, this.#monitor.height);
    view.setUint32(0, GPU_RESP.OK_EDID, true);
    view.setUint32(HEADER_BYTES, edid.length, true);
    response.set(edid, HEADER_BYTES + 8);
    return response;
  }
}

/** A request as the guest wrote it; undefined when it has not even a header. */
function request(chain: DescriptorChain): DataView | undefined {
  if (chain.readableBytes < HEADER_BYTES) return undefined;
  const bytesOfRequest = new Uint8Array(Math.min(chain.readableBytes, MAX_REQUEST_BYTES));
  chain.read(0, bytesOfRequest);
  return new DataView(bytesOfRequest.buffer);
}

function acceptable({ width, height }: DisplaySize): DisplaySize {
  const within = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);
  return {
    width: within(width - (width % MONITOR.WIDTH_STEP), MONITOR.MIN_WIDTH, MONITOR.MAX_WIDTH),
    height: within(height, MONITOR.MIN_HEIGHT, MONITOR.MAX_HEIGHT),
  };
}
