import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { REPLAY_QUIET_MS, ReplayGuard } from "../../../renderer/features/console/replay-guard.ts";
import { HostKey } from "../../../renderer/features/display/host-key.ts";
import { isCrisp, nextZoomPercent, scaleFactor } from "../../../renderer/features/display/scaling.ts";
import { zoomKey } from "../../../renderer/ui/zoom-keys.ts";

describe("Host key", () => {
  const press = (code: string, repeat = false) => ({ type: "keydown", code, key: code, repeat });
  const lift = (code: string) => ({ type: "keyup", code, key: code, repeat: false });
  function hostKey() {
    const seen: string[] = [];
    const key = new HostKey(
      { release: () => seen.push("release"), command: ({ code }) => seen.push(code) },
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
    expect(scaleFactor(mode, guest, pane, ratio, 300)).toBeCloseTo(expected);
  });

  test("a zoom is what was chosen, whatever the pane's size is", () => {
    expect(scaleFactor("zoom", guest, { width: 10, height: 10 }, 2, 150)).toBe(1.5);
  });

  test.each([
    [1, 1, 125],
    [1, -1, 75],
    [1.5625, 1, 200],
    [1.5625, -1, 150],
    [4, 1, 400],
    [0.1, -1, 25],
  ] as const)("from the factor %d a step of %d leads to %d %%", (factor, direction, percent) => {
    expect(nextZoomPercent(factor, direction)).toBe(percent);
  });

  test.each([
    [2, 1, true],
    [1.5, 1, false],
    [1.5, 2, true],
    [1, 1.25, false],
    [1 / 3, 1, false],
    [4 / 3, 1.5, true],
  ])("the factor %d at %d device pixels per pixel needs no smoothing: %s", (factor, ratio, crisp) => {
    expect(isCrisp(factor, ratio)).toBe(crisp);
  });

  test("a screen or pane without size is drawn one to one", () => {
    expect(scaleFactor("fit", { width: 0, height: 0 }, guest, 1, 300)).toBe(1);
    expect(scaleFactor("fit", guest, { width: 0, height: 0 }, 1, 300)).toBe(1);
  });
});

describe("keys of a zoom", () => {
  test.each([
    ["+", "BracketRight", 1],
    ["=", "Equal", 1],
    ["+", "NumpadAdd", 1],
    ["-", "Slash", -1],
    ["-", "NumpadSubtract", -1],
    ["0", "Digit0", 0],
    ["=", "Digit0", null],
    ["a", "KeyA", null],
  ])("%j on the key %s", (key, code, step) => {
    expect(zoomKey({ key, code })).toBe(step);
  });
});
