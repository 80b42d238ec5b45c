// What the services share. Built once by app.ts; a service takes the whole and uses what it needs.
import type { EngineRegistry } from "../engines/index.ts";
import type { Store } from "../store/store.ts";
import type { VmLauncher } from "../supervisor/launcher.ts";
import type { VmTimeouts } from "../supervisor/vm-client.ts";
import type { DiskImages } from "./disks/disk-images.ts";
import type { EventHub } from "./events.ts";
import type { Resources } from "./host/resources.ts";
import type { KeyRing } from "./machines/key-ring.ts";
import type { MachineRegistry } from "./machines/registry.ts";
import type { Mutex } from "./mutex.ts";
import type { NetworkHub } from "./network/hub.ts";
import type { TaskService } from "./tasks.ts";

export interface ServiceContext {
  readonly store: Store;
  readonly events: EventHub;
  readonly tasks: TaskService;
  readonly registry: MachineRegistry;
  readonly engines: EngineRegistry;
  readonly launcher: VmLauncher;
  readonly timeouts: VmTimeouts;
  readonly images: DiskImages;
  readonly keys: KeyRing;
  readonly resources: Resources;
  readonly hub: NetworkHub;
  /** Held by whoever moves memory chunks from one pack to another. */
  readonly chunkWork: Mutex;
  /** Aborted when the app ends: nothing is begun in the background any more. */
  readonly closing: AbortSignal;
}
