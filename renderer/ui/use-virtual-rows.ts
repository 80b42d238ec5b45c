// Draws only the rows of a long list that can be seen: thousands of machines or snapshots cost as much as a screenful.
// Rows may have different heights, but each must be known beforehand.
import { type RefObject, useCallback, useEffect, useMemo, useState } from "react";

/** Drawn beyond each edge, so that a quick scroll shows no gap. */
const MARGIN_PX = 400;

export interface VirtualRows {
  /** First row drawn and the one after the last. */
  readonly first: number;
  readonly end: number;
  readonly totalHeight: number;
  top(index: number): number;
  /** Brings a row into view, as little as needed. */
  reveal(index: number): void;
}

/** The row at `offset`, by bisection. */
export function rowAt(tops: Float64Array, offset: number): number {
  let low = 0;
  let high = tops.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tops[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** `tops[i]` is where row i begins; the last element is the height of all. */
export function rowTops(heights: readonly number[]): Float64Array {
  const tops = new Float64Array(heights.length + 1);
  for (const [index, height] of heights.entries()) tops[index + 1] = (tops[index] ?? 0) + height;
  return tops;
}

export function useVirtualRows(scroller: RefObject<HTMLElement | null>, heights: readonly number[]): VirtualRows {
  const tops = useMemo(() => rowTops(heights), [heights]);
  const [view, setView] = useState({ top: 0, height: 800 });

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const read = () =>
      setView((before) => {
        const next = { top: element.scrollTop, height: element.clientHeight };
        // A few pixels within the margin need no new rows.
        const near = Math.abs(before.top - next.top) < MARGIN_PX / 2 && before.height === next.height;
        return near ? before : next;
      });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener("scroll", read, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", read);
    };
  }, [scroller]);

  const reveal = useCallback(
    (index: number) => {
      const element = scroller.current;
      const [top, bottom] = [tops[index], tops[index + 1]];
      if (!element || top === undefined || bottom === undefined) return;
      if (top < element.scrollTop) element.scrollTo({ top });
      else if (bottom > element.scrollTop + element.clientHeight)
        element.scrollTo({ top: bottom - element.clientHeight });
    },
    [scroller, tops],
  );

  const first = rowAt(tops, Math.max(0, view.top - MARGIN_PX));
  const end = Math.min(heights.length, rowAt(tops, view.top + view.height + MARGIN_PX) + 1);
  return { first, end, totalHeight: tops[heights.length] ?? 0, top: (index) => tops[index] ?? 0, reveal };
}
