// What main knows of an engine before a machine starts. A second engine (QEMU) is one more file here and one line in index.ts.
import type { EngineCapabilities } from "../../native-core/protocol/engine.ts";

export interface EngineDefinition {
  readonly id: string;
  readonly label: string;
  /** The module that is forked as the VM process; it speaks native-core/protocol/engine.ts whatever the engine. */
  readonly module: string;
  /** What it can do before it was asked; a running engine's own answer counts more. */
  readonly capabilities: EngineCapabilities;
  /**
   * Whether a state folder is there and whole enough to continue from; a machine gives up its present only for one that is.
   * @throws AppError naming the file.
   */
  checkState?(folder: string, machineKey?: Uint8Array): Promise<void>;
}
