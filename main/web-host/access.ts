// Who may talk to the Node host. A browser trades a one-time token for a session cookie; scripts and the CLI carry the host's token.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A link that nobody opened is worthless after this. */
const ONE_TIME_TOKEN_MS = 10 * 60_000;
const SESSIONS_MAX = 64;

export class AccessControl {
  /** For programs that can read the control file of this user. */
  readonly bearerToken = newToken();
  readonly #oneTime = new Map<string, number>();
  readonly #sessions = new Set<string>();

  issueOneTimeToken(): string {
    const token = newToken();
    this.#oneTime.set(digest(token), Date.now() + ONE_TIME_TOKEN_MS);
    return token;
  }

  /** The new session's secret, or null when the token is unknown, used or too old. */
  redeem(token: string): string | null {
    const key = digest(token);
    const expiresAt = this.#oneTime.get(key);
    this.#oneTime.delete(key);
    if (expiresAt === undefined || expiresAt < Date.now()) return null;
    const session = newToken();
    if (this.#sessions.size >= SESSIONS_MAX) {
      const oldest = this.#sessions.values().next().value;
      if (oldest !== undefined) this.#sessions.delete(oldest);
    }
    this.#sessions.add(digest(session));
    return session;
  }

  isSession(secret: string | undefined): boolean {
    // Compared as digests, so the time it takes says nothing about the secret.
    return secret !== undefined && this.#sessions.has(digest(secret));
  }

  isBearer(authorization: string | undefined): boolean {
    const given = /^Bearer ([\w-]+)$/.exec(authorization ?? "")?.[1];
    if (given === undefined) return false;
    return timingSafeEqual(Buffer.from(digest(given)), Buffer.from(digest(this.bearerToken)));
  }
}

function newToken(): string {
  return randomBytes(32).toString("base64url");
}

function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
