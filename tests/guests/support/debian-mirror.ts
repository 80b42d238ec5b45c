// A web server on the host that passes requests on to the host's own Debian mirror: guests need no name server, and no test names a mirror.
import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { waitUntil } from "../../support/wait-until.ts";

const run = promisify(execFile);

export interface Mirror {
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  waitFor(path: RegExp, limitMs: number): Promise<void>;
  close(): void;
}

/** Address of the mirror that the host's apt uses, ending with a slash. */
export async function hostMirror(): Promise<string> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Codename: bookworm"]);
  const address = stdout.split("\n")[0];
  if (!address) throw new Error("apt knows no mirror of bookworm");
  return address;
}

/** Serves `/debian/...`; files of `own` come before the mirror's. */
export async function debianMirror(own: ReadonlyMap<string, Uint8Array> = new Map()): Promise<Mirror> {
  const upstream = await hostMirror();
  const requests: string[] = [];
  const answerOf = async (path: string): Promise<{ status: number; body: Uint8Array }> => {
    const file = own.get(path);
    if (file !== undefined) return { status: 200, body: file };
    const answer = await fetch(new URL(path, upstream));
    return { status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) };
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^\/debian\//, "");
    requests.push(path);
    answerOf(path)
      .then(({ status, body }) => response.writeHead(status, { "content-length": body.length }).end(body))
      .catch(() => response.writeHead(502).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...{ port: portOf(server), requests },
    waitFor: (path, limitMs) =>
      waitUntil(`${path} is asked for`, () => requests.some((each) => path.test(each)), limitMs),
    close: () => void server.close(),
  };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
