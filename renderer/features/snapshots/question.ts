// The inline questions of the Snapshots pane.
export type SnapshotQuestion = "take" | "restore" | "delete" | "prune" | "diff";
