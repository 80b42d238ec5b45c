// `npm test`
import { handOver } from "./bootstrap.mjs";

handOver("test-all.ts");
