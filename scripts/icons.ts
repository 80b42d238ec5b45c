// `node scripts/icons.ts`: renders the app's icon, resources/icons/terrarium.svg, into the files that Electron and its packages want. They
// are committed, because a build has no browser at hand; run it after a change of the picture.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { findBrowser } from "./setup/browser.ts";
import { icns, ico } from "./setup/icon-files.ts";
import { PROJECT } from "./setup/project.ts";

const FOLDER = join(PROJECT, "resources/icons");
const SIZES = [16, 32, 48, 64, 128, 256, 512] as const;

async function render(svg: string, sizes: readonly number[]): Promise<Map<number, Buffer>> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error("A browser of the Chromium family is needed to draw the icons.");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    const pictures = new Map<number, Buffer>();
    for (const size of sizes) {
      await page.setViewportSize({ width: size, height: size });
      await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`);
      pictures.set(size, await page.screenshot({ omitBackground: true }));
    }
    return pictures;
  } finally {
    await browser.close();
  }
}

const pictures = await render(await readFile(join(FOLDER, "terrarium.svg"), "utf8"), SIZES);
await mkdir(FOLDER, { recursive: true });
for (const [size, png] of pictures) await writeFile(join(FOLDER, `${size}x${size}.png`), png);
const upTo = (largest: number) => [...pictures].filter(([size]) => size <= largest);
await writeFile(join(FOLDER, "icon.png"), pictures.get(512) ?? Buffer.alloc(0));
await writeFile(join(FOLDER, "icon.ico"), ico(upTo(256)));
await writeFile(join(FOLDER, "icon.icns"), icns([...pictures]));
