// Tells what this window changed itself from what others changed. Every change of a preference comes back as an event, a moment after it was
// sent: by then the user may have chosen anew, and the older choice must not be taken for somebody else's newer one.

export class OwnChanges {
  /** Values on their way, oldest first, by key. */
  readonly #waiting = new Map<string, string[]>();

  sent(changes: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(changes)) {
      const values = this.#waiting.get(key) ?? [];
      values.push(JSON.stringify(value));
      this.#waiting.set(key, values);
    }
  }

  /** None of them will come back: the connection broke. */
  forget(): void {
    this.#waiting.clear();
  }

  /** Whether an arriving value is older than what this window knows: its own, or overwritten by one of its own that is on its way. */
  isOld(key: string, value: unknown): boolean {
    const values = this.#waiting.get(key);
    if (!values) return false;
    const own = values.indexOf(JSON.stringify(value));
    if (own >= 0) values.splice(0, own + 1);
    if (values.length === 0) this.#waiting.delete(key);
    return true;
  }
}
