// The engines of this build, by the name that a machine's configuration carries.
import { AppError } from "../../native-core/common/errors.ts";
import { embeddedEngine } from "./embedded.ts";
import type { EngineDefinition } from "./engine.ts";

export type EngineRegistry = ReadonlyMap<string, EngineDefinition>;

export function defaultEngines(): EngineRegistry {
  return new Map([embeddedEngine()].map((engine) => [engine.id, engine]));
}

export function engineNamed(engines: EngineRegistry, id: string): EngineDefinition {
  const engine = engines.get(id);
  if (engine) return engine;
  throw new AppError("UNSUPPORTED", `There is no engine "${id}" in this build`, {
    field: "engine",
    consequence: "The machine can't be started.",
    remedy: `Choose one of: ${[...engines.keys()].join(", ")}.`,
  });
}
