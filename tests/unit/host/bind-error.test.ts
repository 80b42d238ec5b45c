// Why a port of the host can't be opened: who has it, where that is a machine of ours.
import { describe, expect, it } from "vitest";
import { bindError, withHolder } from "../../../native-core/host/network/bind-error.ts";
import { parseAddress } from "../../../native-core/network/addresses.ts";
import type { PortElsewhere } from "../../../native-core/protocol/network.ts";

const failure = (code: string) => bindError(Object.assign(new Error("bind"), { code }), "tcp", "127.0.0.1", 8080);
const elsewhere = (change: Partial<PortElsewhere> = {}): PortElsewhere[] => [
  { protocol: "tcp", hostAddress: "127.0.0.1", hostPort: 8080, machineName: "Web", ...change },
];
const forward = (address = "127.0.0.1") => ({
  ...{ protocol: "tcp" as const, guestAddress: undefined, guestPort: 80 },
  host: { address: parseAddress(address) ?? new Uint8Array(4), port: 8080 },
});

describe("a port that can't be opened", () => {
  it("is said to be the other machine's that forwards it, with what to do there", () => {
    const error = withHolder(failure("EADDRINUSE"), forward(), elsewhere());
    expect(error).toMatchObject({
      code: "PORT_TAKEN",
      message: `The tcp port 8080 of 127.0.0.1 can't be opened: the machine "Web" forwards 127.0.0.1:8080`,
      details: {
        field: "adapters.forwards",
        consequence: expect.any(String),
        remedy: `Choose another port, or remove that forward from "Web".`,
      },
    });
  });

  it.each([
    ["127.0.0.1", "0.0.0.0"],
    ["0.0.0.0", "127.0.0.1"],
    ["127.0.0.1", "::"],
  ])("is taken at %s by who has it at %s", (wanted, had) => {
    const { message } = withHolder(failure("EADDRINUSE"), forward(wanted), elsewhere({ hostAddress: had }));
    expect(message).toContain(`"Web" forwards ${had}:8080`);
  });

  it.each([
    ["another address", elsewhere({ hostAddress: "127.0.0.2" })],
    ["another protocol", elsewhere({ protocol: "udp" })],
    ["another port", elsewhere({ hostPort: 8081 })],
    ["none", []],
  ])("is another program's where the other machines have %s", (_, others) => {
    const error = failure("EADDRINUSE");
    expect(withHolder(error, forward(), others)).toBe(error);
    expect(error.message).toMatch(/another program uses it/);
  });

  it("is nobody's where it was not taken", () => {
    const error = failure("EACCES");
    expect(withHolder(error, forward(), elsewhere())).toBe(error);
  });
});
