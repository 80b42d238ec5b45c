// The checks that every request passes before anything looks at it, HTTP and WebSocket alike.
//   Host    has to be ours: a page of another site whose name was pointed at 127.0.0.1 (DNS rebinding) sends its own name
//   Origin  if there is one it has to be ours; a browser sends it with every WebSocket and every change, so with a cookie it must be there
//   Access  session cookie or the host's token
import type { AccessControl } from "./access.ts";

export interface GuardedRequest {
  readonly method: string;
  readonly isUpgrade: boolean;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly cookie: string | undefined;
  readonly authorization: string | undefined;
}

export interface Refusal {
  readonly status: 401 | 403 | 421;
  readonly reason: string;
}

/** Cookies are shared by all ports of a host name, so each host has its own. */
export function cookieName(port: number): string {
  return `terrarium-${port}`;
}

export function checkHost(request: GuardedRequest, port: number): Refusal | null {
  if (ownHosts(port).includes(request.host ?? "")) return null;
  return { status: 421, reason: "This address does not belong to Terrarium." };
}

/** Null when the request may go on. */
export function guard(request: GuardedRequest, port: number, access: AccessControl): Refusal | null {
  const wrongHost = checkHost(request, port);
  if (wrongHost) return wrongHost;
  const { origin } = request;
  if (origin !== undefined && !ownHosts(port).some((host) => origin === `http://${host}`)) {
    return { status: 403, reason: "Requests from other sites are refused." };
  }
  if (access.isBearer(request.authorization)) return null;
  if (!access.isSession(readCookie(request.cookie, cookieName(port)))) {
    return { status: 401, reason: "Open Terrarium from its launcher, or with the address that it printed." };
  }
  const safe = !request.isUpgrade && (request.method === "GET" || request.method === "HEAD");
  if (!safe && origin === undefined) return { status: 403, reason: "The request does not say where it comes from." };
  return null;
}

function ownHosts(port: number): string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`];
}

function readCookie(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const [key, value] = part.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}
