// The event hub: what changed, to everyone who asked. Sequence numbers count per subscription, so a gap means a lost message.
import { Emitter } from "../../native-core/common/emitter.ts";
import type { AppEvent } from "../contract/schemas.ts";

/** Distributes over the union: an event before it has its number. */
type Unnumbered<E> = E extends unknown ? Omit<E, "sequence"> : never;
export type AppChange = Unnumbered<AppEvent>;

export type AppEventStream = AsyncIteratorObject<AppEvent, void> & AsyncIterableIterator<AppEvent, void>;

/** A client this far behind is not reading; it gets an end of stream and refetches after it reconnects. */
const QUEUE_MAX = 10_000;

export class EventHub {
  readonly #subscriptions = new Set<Subscription>();
  readonly #countListeners = new Set<() => void>();
  readonly #changes = new Emitter<AppChange>();
  /** For parts of the app itself, such as the tray; they don't count as somebody who looks. */
  readonly onChange = this.#changes.event;

  get subscriberCount(): number {
    return this.#subscriptions.size;
  }

  /** Called when the number of subscribers changes; for work that only pays while someone looks. */
  onSubscribersChanged(listener: () => void): void {
    this.#countListeners.add(listener);
  }

  emit(change: AppChange): void {
    for (const subscription of this.#subscriptions) subscription.push(change);
    this.#changes.fire(change);
  }

  /** Registered at once, before the first `next()`: a client that subscribes and then fetches misses nothing. */
  subscribe(signal?: AbortSignal): AppEventStream {
    const subscription = new Subscription(() => {
      this.#subscriptions.delete(subscription);
      for (const listener of this.#countListeners) listener();
    });
    this.#subscriptions.add(subscription);
    for (const listener of this.#countListeners) listener();
    signal?.addEventListener("abort", () => subscription.end(), { once: true });
    if (signal?.aborted) subscription.end();
    return subscription;
  }

  /** Ends all subscriptions; their iterators finish. */
  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.end();
    this.#changes.dispose();
  }
}

class Subscription implements AppEventStream {
  readonly #onEnd: () => void;
  readonly #queue: AppEvent[] = [];
  #sequence = 0;
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(change: AppChange): void {
    if (this.#ended) return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#queue.length = 0;
      this.end();
      return;
    }
    this.#queue.push({ ...change, sequence: this.#sequence });
    this.#sequence += 1;
    this.#wake?.();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake?.();
    this.#onEnd();
  }

  async next(): Promise<IteratorResult<AppEvent, void>> {
    for (;;) {
      const event = this.#queue.shift();
      if (event) return { done: false, value: event };
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  async return(): Promise<IteratorResult<AppEvent, void>> {
    this.end();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
