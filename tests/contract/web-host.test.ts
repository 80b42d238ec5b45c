// The Node host's doors: who gets in, and a test for each refusal.

import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { App } from "../../main/services/app.ts";
import { createStarter } from "../../main/services/machines/creation.ts";
import { startWebHost, type WebHost } from "../../main/web-host/web-host.ts";
import { makeStarter, openTestApp, temporaryFolder } from "../support/test-app.ts";

let folder: string;
let app: App;
let host: WebHost;

beforeEach(async () => {
  folder = await temporaryFolder();
  await makeStarter(folder);
  const renderer = path.join(folder, "renderer");
  await mkdir(path.join(renderer, "assets"), { recursive: true });
  await writeFile(path.join(renderer, "index.html"), "<!doctype html><title>the renderer</title>");
  await writeFile(path.join(renderer, "assets", "app-1a2b.js"), "export {};");
  await writeFile(path.join(renderer, "secret.key"), "secret");
  await writeFile(path.join(folder, "outside.js"), "outside");
  await symlink(path.join(folder, "outside.js"), path.join(renderer, "assets", "link.js"));
  app = await openTestApp(folder);
  host = await startWebHost(app, { port: 0, rendererFolder: renderer });
});

afterEach(async () => {
  await host.close();
  await app.close("power-off");
  await rm(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** node:http, because fetch forbids the headers that matter here. */
function ask(target: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port: host.port, path: target, method, headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on("error", reject);
    request.end();
  });
}

/** The HTTP status of a refused upgrade, or `open`. */
function upgrade(target: string, headers: Record<string, string>): Promise<number | "open"> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}${target}`, { headers });
    socket.on("open", () => {
      socket.close();
      resolve("open");
    });
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", reject);
  });
}

async function enter(): Promise<string> {
  const url = new URL(host.entryUrl());
  const { headers } = await ask(url.pathname + url.search);
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

const ownOrigin = () => `http://127.0.0.1:${host.port}`;
const bearer = () => ({ Authorization: `Bearer ${host.access.bearerToken}` });

describe("the one-time token", () => {
  it("becomes a session cookie that scripts and other sites can't use", async () => {
    const url = new URL(host.entryUrl());
    const { status, headers } = await ask(url.pathname + url.search);
    expect(status).toBe(200);
    expect(headers["set-cookie"]?.[0]).toMatch(/^terrarium-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect((await ask("/", { Cookie: await enter() })).body).toContain("the renderer");
  });

  it("works once", async () => {
    const url = new URL(host.entryUrl());
    await ask(url.pathname + url.search);
    const again = await ask(url.pathname + url.search);
    expect(again.status).toBe(401);
    expect(again.headers["set-cookie"]).toBeUndefined();
  });

  it("that was made up is refused", async () => {
    expect((await ask("/?token=made-up")).status).toBe(401);
  });

  it("is refused under a foreign host name and stays unused", async () => {
    const url = new URL(host.entryUrl());
    expect((await ask(url.pathname + url.search, { Host: "evil.example" })).status).toBe(421);
    expect((await ask(url.pathname + url.search)).status).toBe(200);
  });
});

describe("a request", () => {
  it("without a session is refused with a page that says what to do", async () => {
    const { status, body } = await ask("/");
    expect(status).toBe(401);
    expect(body).toContain("from its launcher");
    expect((await ask("/api/machines")).status).toBe(401);
  });

  it("with a foreign Host is refused even with a session (DNS rebinding)", async () => {
    const Cookie = await enter();
    expect((await ask("/", { Cookie, Host: `evil.example:${host.port}` })).status).toBe(421);
    expect((await ask("/api/machines", { ...bearer(), Host: "evil.example" })).status).toBe(421);
  });

  it("from a foreign Origin is refused even with a session", async () => {
    const Cookie = await enter();
    expect((await ask("/api/machines", { Cookie, Origin: "https://evil.example" })).status).toBe(403);
    expect((await ask("/api/machines", { Cookie, Origin: ownOrigin() })).status).toBe(200);
  });

  it("that changes something with a cookie has to say where it comes from", async () => {
    const Cookie = await enter();
    expect((await ask("/api/machines/starter", { Cookie }, "POST")).status).toBe(403);
    expect((await ask("/api/machines/starter", { Cookie, Origin: ownOrigin() }, "POST")).status).toBe(200);
  });

  it("with a wrong bearer token is refused", async () => {
    expect((await ask("/api/machines", { Authorization: "Bearer wrong" })).status).toBe(401);
    expect((await ask("/api/machines", bearer())).status).toBe(200);
  });

  it("with the cookie of another port's host is refused", async () => {
    const other = (await enter()).replace(/^terrarium-\d+/, "terrarium-1");
    expect((await ask("/", { Cookie: other })).status).toBe(401);
  });
});

describe("an upgrade to a WebSocket", () => {
  it("with a session and from the own page is accepted", async () => {
    expect(await upgrade("/rpc", { Cookie: await enter(), Origin: ownOrigin() })).toBe("open");
  });

  it.each(["/rpc", "/data/000000000000/rfb"])(
    "to %s is refused without access, from elsewhere and under a foreign name",
    async (target) => {
      const Cookie = await enter();
      expect(await upgrade(target, {})).toBe(401);
      expect(await upgrade(target, { Cookie })).toBe(403);
      expect(await upgrade(target, { Cookie, Origin: "https://evil.example" })).toBe(403);
      expect(await upgrade(target, { Cookie, Origin: ownOrigin(), Host: "evil.example" })).toBe(421);
    },
  );

  it("to a channel that is not there is refused", async () => {
    const machine = await createStarter(app.context, {});
    for (const target of ["/other", "/data/../../etc", `/data/${machine.id}/secrets`, "/data/000000000000/rfb"]) {
      expect(await upgrade(target, bearer())).toBe(404);
    }
    expect(await upgrade(`/data/${machine.id}/rfb`, bearer())).toBe(409);
  });
});

describe("the data plane", () => {
  it("carries bytes between a client and the machine's console, both ways", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}/data/${machine.id}/console/0`, { headers: bearer() });
    let seen = "";
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    await new Promise<void>((resolve) => {
      socket.on("message", (bytes: Buffer, isBinary) => {
        expect(isBinary).toBe(true);
        seen += bytes.toString();
        if (seen.endsWith("typed lines: 0\n")) socket.send(Buffer.from("ping"));
        if (seen.endsWith("<ping>")) resolve();
      });
    });
    expect(seen).toContain("booted 256 MiB");
    await app.lifecycle.stop(machine, "power-off");
    expect(await closed).toBe(1000);
  });

  it("passes the display's first bytes on", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}/data/${machine.id}/rfb`, { headers: bearer() });
    const first = await new Promise<string>((resolve) =>
      socket.on("message", (bytes: Buffer) => resolve(bytes.toString())),
    );
    expect(first).toBe(`RFB of ${machine.id}\n`);
  });
});

describe("files", () => {
  it("of the renderer carry a strict policy and the right type", async () => {
    const Cookie = await enter();
    const { status, headers } = await ask("/assets/app-1a2b.js", { Cookie });
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect(headers["cache-control"]).toContain("immutable");
    const policy = headers["content-security-policy"];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
    });
  });

  it.each([
    "/../outside.js",
    "/%2e%2e/outside.js",
    "/assets/..%2f..%2foutside.js",
    "/assets/link.js",
    "/secret.key",
    "/.git/config",
    "/nothing.js",
    "/%00.js",
    "/%",
  ])("such as %s are not served", async (target) => {
    const { status, body } = await ask(target, { Cookie: await enter() });
    expect(status).toBe(404);
    expect(body).not.toContain("outside");
  });

  it("are refused without a session", async () => {
    expect((await ask("/assets/app-1a2b.js")).status).toBe(401);
  });
});

describe("the interface for scripts", () => {
  it("is described by an OpenAPI document with every command", async () => {
    const { status, body } = await ask("/api/openapi.json", bearer());
    const document = JSON.parse(body);
    expect(status).toBe(200);
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toContain("/machines/{id}/start");
    expect(Object.keys(document.paths)).toContain("/snapshots/{snapshotId}/restore");
  });

  it("answers in plain JSON and reports failures with status 422", async () => {
    const machine = await createStarter(app.context, {});
    expect(JSON.parse((await ask(`/api/machines/${machine.id}/log?limit=5`, bearer())).body)).toBeInstanceOf(Array);
    const failed = await ask("/api/machines/000000000000", bearer());
    expect(failed.status).toBe(422);
    expect(JSON.parse(failed.body)).toMatchObject({ code: "FAILURE", data: { code: "NOT_FOUND", field: "id" } });
    expect((await ask("/api/nothing", bearer())).status).toBe(404);
  });

  it("takes switches from the query", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const answer = await ask(`/api/machines/${machine.id}/screenshot?thumbnail=true`, bearer());
    expect(JSON.parse(answer.body)).toMatchObject({ width: 1, height: 1 });
    expect((await ask(`/api/machines/${machine.id}/screenshot?thumbnail=perhaps`, bearer())).status).toBe(422);
  });
});

describe("a port that is taken", () => {
  it("is named with a remedy", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(startWebHost(app, { port })).rejects.toMatchObject({
      code: "PORT_TAKEN",
      message: expect.stringContaining(String(port)),
      details: { field: "port", remedy: expect.stringContaining("--port") },
    });
    other.close();
  });
});
