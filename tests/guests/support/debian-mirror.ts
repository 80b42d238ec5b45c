// A web server on the host that passes requests on to the host's own Debian mirror: guests need no name server, and no test names a mirror.
import { execFile } from "node:child_process";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { waitUntil } from "../../support/wait-until.ts";

const run = promisify(execFile);

export interface Mirror {
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  waitFor(path: RegExp, limitMs: number): Promise<void>;
  /** The first such path that the host's mirror does not have. */
  waitForMissing(path: RegExp, limitMs: number): Promise<string>;
  close(): void;
}

/** Serves `/debian/...`. */
export async function debianMirror(): Promise<Mirror> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Codename: bookworm"]);
  const upstream = stdout.split("\n")[0];
  if (!upstream) throw new Error("apt knows no mirror of bookworm");
  const requests: string[] = [];
  const missing: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^\/debian\//, "");
    requests.push(path);
    const fail = () => response.writeHead(502).end();
    fetch(new URL(path, upstream))
      .then((answer) => {
        if (answer.status === 404) missing.push(path);
        return passOn(answer, response);
      })
      .catch(fail);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...{ port: portOf(server), requests },
    waitFor: (path, limitMs) =>
      waitUntil(`${path} is asked for`, () => requests.some((each) => path.test(each)), limitMs),
    async waitForMissing(path, limitMs) {
      const first = () => missing.find((each) => path.test(each));
      await waitUntil(`the mirror lacks ${path}`, () => first() !== undefined, limitMs);
      return first() ?? "";
    },
    close: () => void server.close(),
  };
}

async function passOn(answer: Response, response: ServerResponse): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer());
  response.writeHead(answer.status, { "content-length": body.length }).end(body);
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
