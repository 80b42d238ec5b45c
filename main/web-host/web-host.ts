// The Node host's server: the renderer, the contract and the data plane on one loopback port.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { AppError } from "../../native-core/common/errors.ts";
import { createRouter } from "../rpc/router.ts";
import type { App } from "../services/app.ts";
import { appVersion } from "../services/host/host-info.ts";
import { systemErrorCode } from "../store/io-error.ts";
import { AccessControl } from "./access.ts";
import { API_PREFIX, createApiHandler, openApiDocument } from "./openapi.ts";
import { enterPage, refusalPage } from "./pages.ts";
import { checkHost, cookieName, guard } from "./request-guard.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";
import { staticFile } from "./static-files.ts";
import { createUpgradeHandler, guardedRequest } from "./upgrades.ts";

const LOOPBACK = "127.0.0.1";

export interface WebHostOptions {
  /** 0 for any free port. */
  readonly port: number;
  /** The built renderer. */
  readonly rendererFolder?: string;
}

export interface WebHost {
  readonly port: number;
  readonly access: AccessControl;
  /** An address that opens the app in a browser, once. */
  entryUrl(): string;
  close(): Promise<void>;
}

/** @throws AppError PORT_TAKEN. */
export async function startWebHost(app: App, options: WebHostOptions): Promise<WebHost> {
  const access = new AccessControl();
  const router = createRouter(app);
  const rendererFolder = options.rendererFolder ?? fileURLToPath(new URL("../../out/renderer", import.meta.url));
  let port = options.port;
  const hono = createRoutes({ access, router, rendererFolder, port: () => port });
  const listener = getRequestListener(hono.fetch, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void listener(request, response));
  const upgrades = createUpgradeHandler({ app, router, access, port: () => port });
  server.on("upgrade", (request, socket, head) => upgrades.handle(request, socket, head));
  port = await listen(server, options.port);
  return {
    port,
    access,
    entryUrl: () => `http://${LOOPBACK}:${port}/?token=${access.issueOneTimeToken()}`,
    async close() {
      upgrades.close();
      server.close();
      server.closeIdleConnections();
      // Clients that do not answer the closing handshake are not waited for.
      const force = setTimeout(() => {
        upgrades.terminate();
        server.closeAllConnections();
      }, 1000);
      await once(server, "close");
      clearTimeout(force);
    },
  };
}

interface RouteOptions {
  readonly access: AccessControl;
  readonly router: ReturnType<typeof createRouter>;
  readonly rendererFolder: string;
  readonly port: () => number;
}

function createRoutes({ access, router, rendererFolder, port }: RouteOptions): Hono<{ Bindings: HttpBindings }> {
  const api = createApiHandler(router);
  const hono = new Hono<{ Bindings: HttpBindings }>();

  hono.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
  });

  // Entering: the only request that needs no access yet.
  hono.get("/", async (c, next) => {
    const token = c.req.query("token");
    if (token === undefined) return next();
    const refusal = checkHost(guardedRequest(c.env.incoming, false), port());
    if (refusal) return c.html(refusalPage(refusal.reason), refusal.status);
    const session = access.redeem(token);
    if (session === null) {
      // A reload of the first address: whoever is in already simply goes on.
      if (guard(guardedRequest(c.env.incoming, false), port(), access) === null) return c.html(enterPage());
      return c.html(
        refusalPage("This address was used already or is too old. Open Terrarium from its launcher again."),
        401,
      );
    }
    c.header("Set-Cookie", `${cookieName(port())}=${session}; Path=/; HttpOnly; SameSite=Strict`);
    c.header("Cache-Control", "no-store");
    return c.html(enterPage());
  });

  hono.use(async (c, next) => {
    const refusal = guard(guardedRequest(c.env.incoming, false), port(), access);
    if (refusal === null) return next();
    if (c.req.path.startsWith(API_PREFIX)) return c.json({ error: refusal.reason }, refusal.status);
    return c.html(refusalPage(refusal.reason), refusal.status);
  });

  hono.get(`${API_PREFIX}/openapi.json`, async (c) => c.json(await openApiDocument(appVersion())));
  hono.post(`${API_PREFIX}/entry`, (c) =>
    c.json({ url: `http://${LOOPBACK}:${port()}/?token=${access.issueOneTimeToken()}` }),
  );
  hono.use(`${API_PREFIX}/*`, async (c) => {
    const { matched, response } = await api.handle(c.req.raw, { prefix: API_PREFIX });
    return matched ? c.newResponse(response.body, response) : c.json({ error: "There is no such command." }, 404);
  });

  hono.on(["GET", "HEAD"], "*", async (c) => {
    const found = await staticFile(rendererFolder, c.req.path, c.req.method === "GET");
    if (found !== null) return found;
    if (c.req.path !== "/") return c.text("There is no such file.", 404);
    return c.html(refusalPage("The interface is not built. Run `npm start`, which builds it."), 503);
  });
  return hono;
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, LOOPBACK);
    await once(server, "listening");
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
    const taken = code === "EADDRINUSE";
    throw new AppError(
      taken ? "PORT_TAKEN" : "PERMISSION_DENIED",
      taken ? `Port ${port} is used by another program` : `Port ${port} may not be used by you`,
      {
        field: "port",
        consequence: "Terrarium does not start.",
        remedy: "Choose another port with --port, or 0 for any free one.",
      },
      { cause: error },
    );
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
