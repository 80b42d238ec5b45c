// Places where a crash would be worst. Tests end the process there as `kill -9` would and then check that nothing was lost.
// In normal operation each is one comparison with an environment variable that is not set; all of them stand beside disk writes.

export const CRASH_POINTS = [
  "create:files-made",
  "create:folder-in-place",
  "commit:before-record",
  "commit:record-written",
  "commit:done",
  "snapshot:intent-recorded",
  "snapshot:layers-frozen",
  "snapshot:recorded",
  "restore:overlays-made",
  "restore:recorded",
  "delete:recorded",
  "merge:data-copied",
  "merge:backing-switched",
  "save:intent-recorded",
  "save:state-written",
  "recode:intent-recorded",
  "recode:files-made",
  "recode:recorded",
  "clone:files-copied",
  "clone:layers-frozen",
  "clone:layers-shared",
  "remove:folder-moved",
  "undo:folder-moved",
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

export function crashPoint(name: CrashPoint): void {
  if (process.env["TERRARIUM_CRASH_AT"] === name) process.kill(process.pid, "SIGKILL");
}
