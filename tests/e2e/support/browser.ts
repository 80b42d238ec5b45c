// Chromium for interface tests: headless, without GPU and WebGL, so that the console draws text that tests can read.
import { type Browser, chromium, type Page } from "playwright-core";

const EXECUTABLE = process.env["TERRARIUM_CHROMIUM"] ?? "/usr/bin/chromium";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-3d-apis",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--force-color-profile=srgb",
];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS, headless: true });
}

export interface PageOptions {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
  readonly deviceScaleFactor?: number;
}

/** A page in a context of its own. Uncaught errors and violations of the Content-Security-Policy are collected in `problems`. */
export async function openPage(browser: Browser, url: string, options: PageOptions = {}) {
  const { colorScheme = "light", width = 1280, height = 800, deviceScaleFactor = 1 } = options;
  const context = await browser.newContext({
    colorScheme,
    viewport: { width, height },
    deviceScaleFactor,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

/** The text that the console shows, line by line. */
export async function consoleText(page: Page): Promise<string> {
  const lines = await page.locator(".xterm-rows > div").allTextContents();
  return lines.map((line) => line.replaceAll("\u00a0", " ").trimEnd()).join("\n");
}
