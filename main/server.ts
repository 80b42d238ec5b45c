// Entry of the Node host (web-host/serve.ts): node main/server.ts [--home DIR] [--port N]
import { useCompileCache } from "./compile-cache.ts";

useCompileCache();
const { serve } = await import("./web-host/serve.ts");
await serve();
