// Ownership of things that must be released: whoever makes one registers it where it is made.

export interface Disposable {
  dispose(): void;
}

export function toDisposable(dispose: () => void): Disposable {
  let disposed = false;
  return {
    dispose() {
      if (disposed) return;
      disposed = true;
      dispose();
    },
  };
}

/** Releases its members in reverse order of registration, each exactly once. */
export class DisposableStore implements Disposable {
  readonly #members: Disposable[] = [];
  #disposed = false;

  add<T extends Disposable>(member: T): T {
    if (this.#disposed) member.dispose();
    else this.#members.push(member);
    return member;
  }

  dispose(): void {
    this.#disposed = true;
    for (let member = this.#members.pop(); member; member = this.#members.pop()) member.dispose();
  }
}
