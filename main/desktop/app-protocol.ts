// app://terrarium/: the built renderer as an origin of its own, with the same headers as in the browser shell. Nothing else is served.
import { protocol, type Session } from "electron";
import { SECURITY_HEADERS } from "../web-host/security-headers.ts";
import { staticFile } from "../web-host/static-files.ts";

const SCHEME = "app";
export const APP_ORIGIN = `${SCHEME}://terrarium`;

/** Has to be called before Electron is ready. */
export function declareAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

export function serveApp(session: Session, rendererFolder: string): void {
  session.protocol.handle(SCHEME, async (request) => {
    const url = new URL(request.url);
    const withBody = request.method === "GET";
    const found =
      url.host === "terrarium" && (withBody || request.method === "HEAD")
        ? await staticFile(rendererFolder, url.pathname, withBody)
        : null;
    const response = found ?? new Response("There is no such file.", { status: 404 });
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value);
    return response;
  });
}
