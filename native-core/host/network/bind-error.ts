// Why a port of the host could not be opened, in the user's terms.

import { AppError, type ErrorCode, isAppError } from "../../common/errors.ts";
import { isAllZero } from "../../common/zero.ts";
import { formatAddress, parseAddress } from "../../network/addresses.ts";
import type { PortForward } from "../../network/nat/port-forwards.ts";
import type { PortElsewhere } from "../../protocol/network.ts";

const REASONS: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
  EADDRINUSE: ["PORT_TAKEN", "another program uses it", "Choose another port, or end the program that uses it."],
  EACCES: ["PERMISSION_DENIED", "the system doesn't allow it", "Choose a port of 1024 or above."],
  EADDRNOTAVAIL: [
    "INVALID_CONFIG",
    "the host has no such address",
    "Use 127.0.0.1, 0.0.0.0 or an address of this host.",
  ],
};

export function bindError(error: unknown, protocol: string, address: string, port: number): AppError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const [appCode, reason, remedy] = REASONS[code] ?? [
    "IO_ERROR" as const,
    error instanceof Error ? error.message : String(error),
    "Choose another port.",
  ];
  return cannotOpen(appCode, `${protocol} port ${port} of ${address}`, reason, remedy, error);
}

function cannotOpen(code: ErrorCode, place: string, reason: string, remedy: string, cause: unknown): AppError {
  return new AppError(
    code,
    `The ${place} can't be opened: ${reason}`,
    { field: "adapters.forwards", consequence: "This port is not forwarded; everything else works.", remedy },
    { cause },
  );
}

/** The same error, or one that names the other machine that forwards the port. */
export function withHolder(error: Error, { protocol, host }: PortForward, elsewhere: readonly PortElsewhere[]): Error {
  if (!isAppError(error) || error.code !== "PORT_TAKEN") return error;
  const holder = elsewhere.find((port) => {
    const address = parseAddress(port.hostAddress);
    return port.protocol === protocol && port.hostPort === host.port && overlap(address, host.address);
  });
  if (!holder) return error;
  const { machineName, hostAddress } = holder;
  return cannotOpen(
    "PORT_TAKEN",
    `${protocol} port ${host.port} of ${formatAddress(host.address)}`,
    `the machine "${machineName}" forwards ${hostAddress}:${host.port}`,
    `Choose another port, or remove that forward from "${machineName}".`,
    error,
  );
}

/** Who listens at all addresses has each of them. */
function overlap(one: Uint8Array | undefined, other: Uint8Array): boolean {
  if (!one) return false;
  return isAllZero(one) || isAllZero(other) || formatAddress(one) === formatAddress(other);
}
