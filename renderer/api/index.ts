// The renderer's one connection, client and query cache.
import { QueryClient } from "@tanstack/react-query";
import { platform } from "../platform/index.ts";
import { Connection } from "./connection.ts";

export const connection = new Connection(platform);
export const client = connection.client;

export const queryClient = new QueryClient({
  defaultOptions: {
    // Changes are announced by events (api/events.ts), so nothing goes stale by age alone; a new connection refetches all.
    queries: { staleTime: Number.POSITIVE_INFINITY, retry: false, refetchOnWindowFocus: false, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});
