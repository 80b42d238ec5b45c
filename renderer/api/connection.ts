// The control connection over its whole life: connect, check the contract version, notice a loss, try again with growing
// pauses. `client` stays the same object throughout; calls made while there is no connection fail at once.
import { type ClientContext, type ClientLink, createORPCClient, DynamicLink } from "@orpc/client";
import type { ContractRouterClient } from "@orpc/contract";
import type { Contract } from "../../main/contract/index.ts";
import { CONTRACT_VERSION, type HostInfo } from "../../main/contract/schemas.ts";
import { AccessDenied, type Platform, type RpcConnection } from "../platform/platform.ts";
import { createStore, type Store } from "./store.ts";

export type ConnectionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "open"; readonly host: HostInfo }
  | { readonly kind: "lost"; readonly retryAtMs: number }
  | { readonly kind: "denied" }
  | { readonly kind: "mismatch"; readonly ours: number; readonly theirs: number };

export type Client = ContractRouterClient<Contract>;

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5000;

export class Connection {
  readonly state: Store<ConnectionState> = createStore<ConnectionState>({ kind: "connecting" });
  /** Stays true over a loss: what was shown remains on the screen meanwhile. */
  readonly everOpen: Store<boolean> = createStore(false);
  readonly client: Client;
  readonly #platform: Platform;
  #link: ClientLink<ClientContext> | null = null;
  #wake: (() => void) | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.client = createORPCClient<Client>(
      new DynamicLink(() => {
        if (!this.#link) throw new Error("There is no connection to the Terrarium host.");
        return this.#link;
      }),
    );
  }

  /** Runs until the page goes away; `onOpen` is called for each connection made. */
  async run(onOpen: () => void): Promise<void> {
    let pauseMs = RETRY_MIN_MS;
    for (;;) {
      try {
        const connection = await this.#platform.connect();
        if (!(await this.#adopt(connection))) return;
        pauseMs = RETRY_MIN_MS;
        onOpen();
        await connection.closed;
      } catch (error) {
        if (error instanceof AccessDenied) {
          this.state.set({ kind: "denied" });
          return;
        }
      }
      this.#link = null;
      this.state.set({ kind: "lost", retryAtMs: Date.now() + pauseMs });
      await this.#sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    }
  }

  retryNow(): void {
    this.#wake?.();
  }

  /** False when the host speaks another contract: the page has to be loaded anew, trying again is of no use. */
  async #adopt(connection: RpcConnection): Promise<boolean> {
    this.#link = connection.link;
    const lost = connection.closed.then(() => Promise.reject(new Error("closed during the handshake")));
    // The loser of the race must not surface as an unhandled rejection later.
    lost.catch(() => undefined);
    const host = await Promise.race([this.client.host.info(), lost]);
    if (host.contractVersion !== CONTRACT_VERSION) {
      this.state.set({ kind: "mismatch", ours: CONTRACT_VERSION, theirs: host.contractVersion });
      connection.close();
      return false;
    }
    this.state.set({ kind: "open", host });
    this.everOpen.set(true);
    return true;
  }

  #sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
