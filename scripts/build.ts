// `npm run build`: everything that the app and its packages are made of.
import { buildAll } from "./setup/build.ts";
import { buildDesktop } from "./setup/build-desktop.ts";

await buildAll();
await buildDesktop();
