// Why a port of the host could not be opened, in the user's terms.
import { AppError, type ErrorCode } from "../../common/errors.ts";

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
  return new AppError(
    appCode,
    `The ${protocol} port ${port} of ${address} can't be opened: ${reason}`,
    { field: "adapters.forwards", consequence: "This port is not forwarded; everything else works.", remedy },
    { cause: error },
  );
}
