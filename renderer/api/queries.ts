// What the panes read. Everything is kept current by events; only the screenshot has to be polled, and only while it is looked at.
import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import type { HostInfo, MachineState, MachineSummary } from "../../main/contract/schemas.ts";
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

const HOST_INTERVAL_MS = 5000;

/** The host's figures as they are now: asked for again and again while something shows them. */
export function useFreshHost(): HostInfo | undefined {
  return useQuery({
    queryKey: keys.host,
    queryFn: () => client.host.info(),
    refetchInterval: HOST_INTERVAL_MS,
    refetchIntervalInBackground: false,
  }).data;
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

const LIST_INTERVAL_MS = 4000;

/** The small screen in the list, as a data URL; null while there is none. Only rows in sight ask for theirs. */
export function useListThumbnail(id: string) {
  return useQuery({
    queryKey: keys.listThumbnail(id),
    queryFn: async () => {
      try {
        return `data:image/png;base64,${(await client.machines.screenshot({ id, thumbnail: true })).pngBase64}`;
      } catch {
        return null;
      }
    },
    refetchInterval: LIST_INTERVAL_MS,
    refetchIntervalInBackground: false,
    staleTime: LIST_INTERVAL_MS,
  });
}

/** One machine of the list, so that whoever shows it is not drawn anew for the others. */
export function useMachineSummary(id: string | null): MachineSummary | undefined {
  return useQuery({
    queryKey: keys.machines,
    queryFn: () => client.machines.list(),
    select: useCallback((list: MachineSummary[]) => list.find((machine) => machine.id === id), [id]),
  }).data;
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
