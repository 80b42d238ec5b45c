// What the panes read. Everything is kept current by events; only the screenshot has to be polled, and only while it is looked at.
import { useQuery } from "@tanstack/react-query";
import type { MachineState } from "../../main/contract/schemas.ts";
import { client } from "./index.ts";
import { keys } from "./keys.ts";

export function useMachines() {
  return useQuery({ queryKey: keys.machines, queryFn: () => client.machines.list() });
}

export function useMachine(id: string) {
  return useQuery({ queryKey: keys.machine(id), queryFn: () => client.machines.get({ id }) });
}

export function useSnapshots(id: string) {
  return useQuery({ queryKey: keys.snapshots(id), queryFn: () => client.snapshots.tree({ id }) });
}

export function useLog(id: string) {
  return useQuery({
    queryKey: keys.log(id),
    queryFn: () => client.machines.log({ id, limit: 2000 }),
    staleTime: 0,
    refetchInterval: 2000,
  });
}

const PREVIEW_INTERVAL_MS = 1000;

/** The screen as a data URL. Polled once a second while the machine runs and the page is visible; null while there is none. */
export function useScreenshot(id: string, state: MachineState, thumbnail: boolean) {
  const live = state === "running";
  return useQuery({
    queryKey: [...keys.screenshot(id, thumbnail), live ? "live" : state],
    queryFn: async () => {
      try {
        const shot = await client.machines.screenshot({ id, thumbnail });
        return { url: `data:image/png;base64,${shot.pngBase64}`, width: shot.width, height: shot.height };
      } catch {
        // A machine that never ran has no screen; the pane says so.
        return null;
      }
    },
    refetchInterval: live ? PREVIEW_INTERVAL_MS : false,
    refetchIntervalInBackground: false,
    staleTime: 0,
    placeholderData: (previous) => previous,
  });
}

export function useSnapshotThumbnail(snapshotId: string, exists: boolean) {
  return useQuery({
    queryKey: keys.snapshotThumbnail(snapshotId),
    enabled: exists,
    queryFn: async () => {
      const answer = await client.snapshots.thumbnail({ snapshotId });
      return answer && `data:image/png;base64,${answer.pngBase64}`;
    },
  });
}
