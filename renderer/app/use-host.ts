// What the host said about itself when the connection was made; the last known while it is away.
import type { HostInfo } from "../../main/contract/schemas.ts";
import { connection } from "../api/index.ts";
import { createStore, useStore } from "../api/store.ts";

const known = createStore<HostInfo | null>(null);
connection.state.subscribe(() => {
  const state = connection.state.get();
  if (state.kind === "open") known.set(state.host);
});

export const useHost = (): HostInfo | null => useStore(known);
