// `npm start`
import { handOver } from "./bootstrap.mjs";

handOver("launch.ts");
