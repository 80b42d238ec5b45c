// How an outlined handler or a compiled region ends, for the dispatch function.

/**
 * What an outlined handler returns; targets and slots are in globals. `resume`: of regions only, go on
 * with the operation that stands where others have a slot; RIP is that of its block. */
export const OUTCOME = {
  next: 0,
  fault: 1,
  linked: 2,
  checked: 3,
  indirect: 4,
  state: 5,
  repeat: 6,
  resume: 7,
} as const;
