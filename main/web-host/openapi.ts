// The contract for scripts: REST below /api, described by /api/openapi.json.
import { OpenAPIGenerator } from "@orpc/openapi";
import { OpenAPIHandler } from "@orpc/openapi/fetch";
import { experimental_ZodSmartCoercionPlugin as CoercionPlugin, ZodToJsonSchemaConverter } from "@orpc/zod/zod4";
import { contract } from "../contract/index.ts";
import type { AppRouter } from "../rpc/router.ts";

export const API_PREFIX = "/api";

/** Numbers and booleans arrive as text in paths and queries; they are turned into what the schemas ask for. */
export function createApiHandler(router: AppRouter) {
  return new OpenAPIHandler(router, { plugins: [new CoercionPlugin()] });
}

let document: Promise<object> | null = null;

/** OpenAPI 3.1; made once, on first use. */
export function openApiDocument(version: string): Promise<object> {
  document ??= new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] }).generate(contract, {
    info: {
      title: "Terrarium",
      version,
      description:
        "Control of machines and snapshots. Send `Authorization: Bearer TOKEN` with the token of run/host.json.",
    },
    servers: [{ url: API_PREFIX }],
    components: { securitySchemes: { host: { type: "http", scheme: "bearer" } } },
    security: [{ host: [] }],
  });
  return document;
}
