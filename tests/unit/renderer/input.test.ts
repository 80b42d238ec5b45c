import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { REPLAY_QUIET_MS, ReplayGuard } from "../../../renderer/features/console/replay-guard.ts";
import { HostKey } from "../../../renderer/features/display/host-key.ts";
import { scaleFactor } from "../../../renderer/features/display/scaling.ts";

describe("Host key", () => {
  const press = (code: string, repeat = false) => ({ type: "keydown", code, repeat });
  const lift = (code: string) => ({ type: "keyup", code, repeat: false });
  function hostKey() {
    const seen: string[] = [];
    const key = new HostKey(
      { release: () => seen.push("release"), command: (code) => seen.push(code) },
      "ControlRight",
    );
    return { key, seen };
  }

  test("pressed alone it releases the keyboard and never reaches the guest", () => {
    const { key, seen } = hostKey();
    expect(key.handle(press("ControlRight"))).toBe(true);
    expect(key.handle(press("ControlRight", true))).toBe(true);
    expect(key.handle(lift("ControlRight"))).toBe(true);
    expect(seen).toEqual(["release"]);
  });

  test("with another key it is a command, once, and does not release", () => {
    const { key, seen } = hostKey();
    for (const event of [press("ControlRight"), press("KeyF"), press("KeyF", true), lift("KeyF"), lift("ControlRight")])
      expect(key.handle(event)).toBe(true);
    expect(seen).toEqual(["KeyF"]);
  });

  test("other keys go to the guest", () => {
    const { key, seen } = hostKey();
    expect(key.handle(press("KeyA"))).toBe(false);
    expect(key.handle(press("ControlLeft"))).toBe(false);
    expect(seen).toEqual([]);
  });

  test("a Host key whose release was lost with the focus does not swallow later keys", () => {
    const { key } = hostKey();
    key.handle(press("ControlRight"));
    key.reset();
    expect(key.handle(press("KeyA"))).toBe(false);
  });
});

describe("answers of the terminal to replayed output", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each(["\x1b[24;80R", "\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[0n", "\x1b[?2004;1$y", "\x1bP1$r0m\x1b\\"])(
    "%j is dropped during the replay and passes afterwards",
    (report) => {
      const guard = new ReplayGuard();
      guard.begin();
      expect(guard.allows(report)).toBe(false);
      vi.advanceTimersByTime(REPLAY_QUIET_MS);
      expect(guard.allows(report)).toBe(true);
    },
  );

  test("the replay lasts as long as output keeps arriving", () => {
    const guard = new ReplayGuard();
    guard.begin();
    for (let piece = 0; piece < 5; piece++) {
      vi.advanceTimersByTime(REPLAY_QUIET_MS - 1);
      guard.arrived();
    }
    expect(guard.allows("\x1b[1;1R")).toBe(false);
  });

  test.each(["a", "\r", "\x03", "\x1b[A", "\x1b[3~", "\x1bOP", "\x1b"])("the key %j always passes", (key) => {
    const guard = new ReplayGuard();
    guard.begin();
    expect(guard.allows(key)).toBe(true);
  });
});

describe("scaling of the screen", () => {
  const guest = { width: 640, height: 400 };
  test.each([
    ["fit", { width: 1000, height: 1000 }, 1, 1.5625],
    ["fit", { width: 320, height: 1000 }, 1, 0.5],
    ["sharp", { width: 1400, height: 1000 }, 1, 2],
    ["sharp", { width: 1000, height: 1000 }, 2, 1.5],
    ["sharp", { width: 100, height: 100 }, 1, 1],
    ["actual", { width: 100, height: 100 }, 2, 1],
  ] as const)("%s in %j at %d device pixels per pixel is %d", (mode, pane, ratio, expected) => {
    expect(scaleFactor(mode, guest, pane, ratio)).toBeCloseTo(expected);
  });

  test("a screen or pane without size is drawn one to one", () => {
    expect(scaleFactor("fit", { width: 0, height: 0 }, guest, 1)).toBe(1);
    expect(scaleFactor("fit", guest, { width: 0, height: 0 }, 1)).toBe(1);
  });
});
