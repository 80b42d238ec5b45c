// How smoothly a page goes on while something is done in it: the longest time that its main thread was busy without a break.
import type { Browser, Page } from "playwright-core";

interface Recorder {
  readonly longest: number;
  readonly count: number;
}

/** Long tasks (50 ms and more, as the W3C's Long Tasks has it) while `work` runs, and until the page is quiet again. */
export async function longTasks(page: Page, work: () => Promise<void>): Promise<Recorder> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    });
    observer.observe({ type: "longtask" });
    Reflect.set(window, "longTaskRecorder", { tasks, observer });
  });
  await work();
  return page.evaluate(async () => {
    await new Promise((resolve) => requestIdleCallback(resolve, { timeout: 2000 }));
    const { tasks, observer } = Reflect.get(window, "longTaskRecorder") as {
      tasks: number[];
      observer: PerformanceObserver;
    };
    for (const entry of observer.takeRecords()) tasks.push(entry.duration);
    observer.disconnect();
    return { longest: Math.max(0, ...tasks), count: tasks.length };
  });
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Processor time of the thread, in microseconds. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/** Processor time of the page's longest task while `work` runs, in milliseconds: the same on a busy computer as on a quiet one. */
export async function longestProcessorTime(browser: Browser, page: Page, work: () => Promise<void>): Promise<number> {
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const mainThreads = new Set(threads.map(({ pid, tid }) => `${pid} ${tid}`));
  const times = traceEvents
    .filter(({ name, pid, tid }) => name.endsWith("RunTask") && mainThreads.has(`${pid} ${tid}`))
    .map(({ tdur = 0 }) => tdur / 1000);
  if (times.length === 0) throw new Error("Chromium's trace has no tasks of the page");
  return Math.max(...times);
}

/** Turns the wheel over the middle of an element, one notch per frame. */
export async function wheelOver(page: Page, selector: { x: number; y: number }, notches: number): Promise<void> {
  await page.mouse.move(selector.x, selector.y);
  for (let notch = 0; notch < notches; notch++) {
    await page.mouse.wheel(0, 240);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}
