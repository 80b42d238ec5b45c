// How far back the charts look.
export const SPANS = { minute: 60, tenMinutes: 600, threeHours: 3 * 3600, day: 24 * 3600 } as const;
export type Span = keyof typeof SPANS;
export const SPAN_NAMES = Object.keys(SPANS) as Span[];
