// Query keys. Everything about one machine starts with the same prefix, so that it can be dropped at once.
export const keys = {
  host: ["host"] as const,
  disks: ["disks"] as const,
  networks: ["networks"] as const,
  medium: (file: string) => ["medium", file] as const,
  machines: ["machines"] as const,
  machine: (id: string) => ["machine", id] as const,
  snapshots: (id: string) => ["machine", id, "snapshots"] as const,
  screenshot: (id: string, thumbnail: boolean) => ["machine", id, "screenshot", thumbnail] as const,
  listThumbnail: (id: string) => ["machine", id, "list-thumbnail"] as const,
  history: (id: string, spanS: number) => ["machine", id, "history", spanS] as const,
  log: (id: string) => ["machine", id, "log"] as const,
  snapshotThumbnail: (snapshotId: string) => ["snapshot-thumbnail", snapshotId] as const,
  deletePreview: (snapshotId: string) => ["delete-preview", snapshotId] as const,
  prunePreview: (id: string) => ["machine", id, "snapshots", "prune"] as const,
  trash: ["trash"] as const,
  files: (folder: string | null) => ["files", folder] as const,
};
