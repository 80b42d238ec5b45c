// A client of the contract over a WebSocket, for programs (CLI, tests). It checks what it sends and what it gets, and refuses a host of
// another contract version.
import { createORPCClient, ORPCError } from "@orpc/client";
import { RPCLink } from "@orpc/client/websocket";
import type { ContractRouterClient } from "@orpc/contract";
import { RequestValidationPlugin, ResponseValidationPlugin } from "@orpc/contract/plugins";
import { WebSocket } from "ws";
import { AppError } from "../../native-core/common/errors.ts";
import { type Contract, contract } from "../contract/index.ts";
import { CONTRACT_VERSION, type Failure, failureSchema } from "../contract/schemas.ts";
import { type ValidationIssue, validationFailure } from "./validation-failure.ts";

export type RpcClient = ContractRouterClient<Contract>;

export interface RpcConnection {
  readonly client: RpcClient;
  /** Whether the other side went away: calls that were under way then fail in the transport's own words. */
  isLost(): boolean;
  close(): void;
}

/** Plug-ins for any link: both sides of the contract validate. */
export function validationPlugins() {
  return [new RequestValidationPlugin(contract), new ResponseValidationPlugin(contract)];
}

/** @throws AppError PERMISSION_DENIED when the host refuses, IO_ERROR when it can't be reached, VERSION_MISMATCH. */
export async function connectRpc(address: { readonly port: number; readonly token: string }): Promise<RpcConnection> {
  const socket = new WebSocket(`ws://127.0.0.1:${address.port}/rpc`, {
    headers: { Authorization: `Bearer ${address.token}` },
  });
  await opened(socket);
  const link = new RPCLink({ websocket: socket as never, plugins: validationPlugins() });
  const client = createORPCClient<RpcClient>(link);
  try {
    requireSameVersion((await client.host.info()).contractVersion);
  } catch (error) {
    socket.close();
    throw error;
  }
  let isClosed = false;
  return {
    client,
    isLost: () => !isClosed && socket.readyState !== WebSocket.OPEN,
    close() {
      isClosed = true;
      socket.close();
    },
  };
}

function requireSameVersion(theirs: number): void {
  if (theirs === CONTRACT_VERSION) return;
  throw new AppError(
    "VERSION_MISMATCH",
    `The running host speaks contract ${theirs}, this program ${CONTRACT_VERSION}`,
    {
      consequence: "The command was not carried out.",
      remedy: "End the running host and start it again: `terrarium host stop`, `terrarium host start`.",
    },
  );
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      reject(new AppError("PERMISSION_DENIED", `The host refused the connection (${response.statusCode})`));
    });
    socket.once("error", (error) => reject(new AppError("IO_ERROR", `The host can't be reached: ${error.message}`)));
  });
}

/** A rejected command as the failure it stands for; other errors pass through. */
export function toAppError(error: unknown): unknown {
  if (!(error instanceof ORPCError)) return error;
  const { code, message, file, field, consequence, remedy } = failureOfRpc(error);
  return new AppError(code, message, {
    ...(file !== undefined && { file }),
    ...(field !== undefined && { field }),
    ...(consequence !== undefined && { consequence }),
    ...(remedy !== undefined && { remedy }),
  });
}

function failureOfRpc(error: ORPCError<string, unknown>): Failure {
  const parsed = failureSchema.safeParse(error.data);
  if (parsed.success) return parsed.data;
  // Found wrong on this side, before it was sent.
  const issues = (error.data as { issues?: readonly ValidationIssue[] } | undefined)?.issues;
  return issues ? validationFailure(issues) : { code: "INVALID_ARGUMENT", message: error.message };
}
