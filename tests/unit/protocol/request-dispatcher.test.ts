// The dispatcher between main and an engine: one answer per request, nothing unchecked in either direction.
import { describe, expect, it } from "vitest";
import { Emitter } from "../../../native-core/common/emitter.ts";
import { AppError } from "../../../native-core/common/errors.ts";
import type { EngineOutbound } from "../../../native-core/protocol/engine.ts";
import type { Engine, EngineEvent } from "../../../native-core/protocol/engine-interface.ts";
import { RequestDispatcher } from "../../../native-core/protocol/request-dispatcher.ts";

function setUp(methods: Partial<Engine>) {
  const events = new Emitter<EngineEvent>();
  const sent: EngineOutbound[] = [];
  const engine = { onEvent: events.event, ...methods } as Engine;
  const dispatcher = new RequestDispatcher(engine, (message) => sent.push(message));
  return { dispatcher, sent, events };
}

describe("the request dispatcher", () => {
  it("answers with the engine's result", async () => {
    const { dispatcher, sent } = setUp({ pause: async () => null });
    await dispatcher.receive({ id: 7, request: "pause", argument: null });
    expect(sent).toEqual([{ kind: "reply", id: 7, result: null }]);
  });

  it("passes failures on with their code and details", async () => {
    const { dispatcher, sent } = setUp({
      pause: () => Promise.reject(new AppError("NO_SPACE", "full", { file: "/a", remedy: "free some" })),
    });
    await dispatcher.receive({ id: 1, request: "pause", argument: null });
    const error = { code: "NO_SPACE", message: "full", details: { file: "/a", remedy: "free some" } };
    expect(sent).toEqual([{ kind: "failure", id: 1, error }]);
  });

  it.each([
    ["an unknown request", { id: 2, request: "format", argument: null }, "UNSUPPORTED"],
    ["a name from the prototype", { id: 2, request: "constructor", argument: null }, "UNSUPPORTED"],
    [
      "an argument of the wrong shape",
      { id: 2, request: "sendText", argument: { port: 9, text: "" } },
      "INVALID_ARGUMENT",
    ],
    ["an unknown field", { id: 2, request: "screenshot", argument: { thumbnail: true, x: 1 } }, "INVALID_ARGUMENT"],
  ])("refuses %s without asking the engine", async (_title, message, code) => {
    const { dispatcher, sent } = setUp({});
    await dispatcher.receive(message);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ kind: "failure", id: 2, error: { code } });
  });

  it("turns an unexpected error and a wrong result into an engine failure", async () => {
    const { dispatcher, sent } = setUp({
      pause: () => Promise.reject(new TypeError("x is undefined")),
      screenshot: async () => ({ png: "text" }) as never,
    });
    await dispatcher.receive({ id: 1, request: "pause", argument: null });
    await dispatcher.receive({ id: 2, request: "screenshot", argument: { thumbnail: false } });
    expect(sent).toMatchObject([
      { kind: "failure", id: 1, error: { code: "ENGINE_FAILED", message: "x is undefined" } },
      { kind: "failure", id: 2, error: { code: "ENGINE_FAILED", details: { field: "png" } } },
    ]);
  });

  it("has no answer for what is no request, only a line in the log", async () => {
    const { dispatcher, sent } = setUp({});
    for (const message of [undefined, "pause", { request: "pause" }, { id: 1.5, request: "pause" }]) {
      await dispatcher.receive(message);
    }
    expect(sent.map((message) => message.kind)).toEqual(["log", "log", "log", "log"]);
  });

  it("passes events on, and knows when all requests are answered", async () => {
    const gate = Promise.withResolvers<null>();
    const { dispatcher, sent, events } = setUp({ pause: () => gate.promise });
    const answer = dispatcher.receive({ id: 3, request: "pause", argument: null });
    events.fire({ kind: "reset" });
    const quiet = dispatcher.whenQuiet().then(() => sent.at(-1)?.kind);
    gate.resolve(null);
    await answer;
    expect(await quiet).toBe("reply");
    expect(sent[0]).toEqual({ kind: "reset" });
  });
});
