// How smoothly a page goes on while something is done in it: the longest time that its main thread was busy without a break.
import type { Page } from "playwright-core";

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

/** Turns the wheel over the middle of an element, one notch per frame. */
export async function wheelOver(page: Page, selector: { x: number; y: number }, notches: number): Promise<void> {
  await page.mouse.move(selector.x, selector.y);
  for (let notch = 0; notch < notches; notch++) {
    await page.mouse.wheel(0, 240);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}
