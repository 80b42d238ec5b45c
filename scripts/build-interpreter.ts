// Makes out/core/interpreter.wasm when it is missing or older than what it is generated from.
import { interpreterModule } from "../native-core/host/interpreter-module.ts";

await interpreterModule();
