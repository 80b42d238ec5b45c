// Which components of the page React draws anew, told by the hook that React offers to its developer tools, in production builds too.
// What a commit left as it was keeps its very fibers, so only what differs from the commit before is looked at.
import type { Page } from "playwright-core";

/** The part of React's tree that is looked at (react-reconciler's ReactInternalTypes). */
interface Fiber {
  readonly child: Fiber | null;
  readonly sibling: Fiber | null;
  readonly alternate: Fiber | null;
  readonly type: unknown;
  readonly stateNode: unknown;
  readonly flags: number;
}

/** Counts from the next load of the page on. */
export async function watchRenders(page: Page, selector: string): Promise<void> {
  await page.addInitScript((region) => {
    const PERFORMED_WORK = 1;
    const walk = (fiber: Fiber, before: Fiber | null, within: boolean): number => {
      const inside = within || (fiber.stateNode instanceof Element && fiber.stateNode.matches(region));
      let renders = inside && typeof fiber.type === "function" && (fiber.flags & PERFORMED_WORK) !== 0 ? 1 : 0;
      if (before && fiber.child === before.child) return renders;
      for (let child = fiber.child; child; child = child.sibling) renders += walk(child, child.alternate, inside);
      return renders;
    };
    Reflect.set(window, "renderCount", 0);
    Reflect.set(window, "__REACT_DEVTOOLS_GLOBAL_HOOK__", {
      supportsFiber: true,
      inject: () => 1,
      onCommitFiberUnmount: () => undefined,
      onCommitFiberRoot: (_id: number, { current }: { readonly current: Fiber }) => {
        const count = Reflect.get(window, "renderCount") as number;
        Reflect.set(window, "renderCount", count + walk(current, current.alternate, false));
      },
    });
  }, selector);
  // The app rewrites its address while it starts, which would abort a reload that is under way.
  await page.locator(selector).waitFor();
  await page.reload();
}

/** Components within the region that were drawn since the last load. */
export function renderCount(page: Page): Promise<number> {
  return page.evaluate(() => Reflect.get(window, "renderCount") as number);
}
