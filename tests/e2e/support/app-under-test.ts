// The set-up that specs share: a browser, a host with its guests, and a page of the app; all of it ends with the spec's file.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, vi } from "vitest";
import { keepPicture } from "./axe.ts";
import { launchBrowser, openPage, type PageOptions } from "./browser.ts";
import { type Guest, startTestHost, type TestHost } from "./hosts.ts";

/** Building the interface is part of the first start. */
const SET_UP_MS = 120_000;
const TEST_MS = 60_000;

export interface AppUnderTest {
  readonly browser: Browser;
  readonly host: TestHost;
  readonly page: Page;
  /** Uncaught errors of the page. */
  readonly problems: string[];
}

interface Options extends PageOptions {
  readonly guest?: Guest;
  /** Fills the data folder before the host opens it. */
  prepare?(home: string): Promise<void>;
  /** Runs once the page is there, for what all tests of the file begin with. */
  begin?(app: AppUnderTest): Promise<void>;
}

/** Filled before the first test; not to be taken apart earlier. */
export function appUnderTest({ guest = "scripted", prepare, begin, ...options }: Options = {}): AppUnderTest {
  vi.setConfig({ testTimeout: TEST_MS });
  const app = {} as { -readonly [K in keyof AppUnderTest]: AppUnderTest[K] };
  beforeAll(async () => {
    [app.browser, app.host] = await Promise.all([launchBrowser(), startTestHost(guest, prepare)]);
    Object.assign(app, await openPage(app.browser, app.host.entryUrl(), options));
    await begin?.(app);
  }, SET_UP_MS);
  // What a failed test left open is not to fail those after it: its picture is kept, and the page begins anew where it was.
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail" || !app.page || app.page.isClosed()) return;
    await keepPicture(app.page, `failed ${task.name}`);
    await app.page.reload();
    await app.page.getByRole("main").waitFor();
  });
  afterAll(async () => {
    await app.browser?.close();
    await app.host?.close();
  });
  return app;
}
