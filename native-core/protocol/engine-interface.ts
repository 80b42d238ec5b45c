// What an engine is to the VM process: one method per request of the contract, and events. Nothing here knows which engine it is.
import type { Event } from "../common/emitter.ts";
import type { EngineArgument, EngineOutbound, EngineRequestName, EngineResult } from "./engine.ts";

/** What an engine says unasked. */
export type EngineEvent = Extract<EngineOutbound, { kind: "runState" | "reset" | "ejected" | "detached" | "log" }>;

type EngineMethods = {
  readonly [N in EngineRequestName]: (argument: EngineArgument<N>) => Promise<EngineResult<N>>;
};

/** Methods reject with AppError for everything a user can run into. Requests may overlap; the engine orders them. */
export interface Engine extends EngineMethods {
  readonly onEvent: Event<EngineEvent>;
  /** Settles when the machine is gone for good, whatever ended it, and everything is on disk: the process may exit. */
  readonly ended: Promise<void>;
  /** Nobody is there to give orders any more: stops the guest as a power cut would, but with its disks flushed. */
  abandon(): Promise<void>;
}
