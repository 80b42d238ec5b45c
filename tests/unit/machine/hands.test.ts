import { describe, expect, it } from "vitest";
import { Hands } from "../../../native-core/machine/hands.ts";

const ESC = 0x01;

function start() {
  const log: string[] = [];
  const keyboard = (name: string, leds: number) => ({
    ...{ leds, active: false },
    key: (key: number, down: boolean) => void log.push(`${name} ${key} ${down ? "down" : "up"}`),
  });
  const pointer = (name: string) => ({
    active: false,
    report: () => void log.push(name),
    move: () => void log.push(name),
  });
  const ps2 = { ...keyboard("ps2", 1), move: pointer("mouse").move };
  const cards = {
    ...{ keyboard: keyboard("virtio", 2), tablet: pointer("virtio tablet") },
    usb: { keyboard: keyboard("usb", 4), tablet: pointer("usb tablet") },
  };
  const hands = new Hands(cards, ps2);
  const key = (down: boolean) => hands.key({ kind: "key", key: ESC, down });
  const move = () => hands.pointer({ kind: "pointer", dx: 1, dy: 1, x: 0, y: 0, wheel: 0, buttons: 0 });
  return { log, cards, hands, key, move };
}

describe("keys and motion", () => {
  it("go to PS/2 until a driver is up, then to USB, and rather to virtio", () => {
    const { log, cards, hands, key, move } = start();
    const press = () => {
      key(true);
      key(false);
      move();
    };
    press();
    expect(hands.leds).toBe(1);
    cards.usb.keyboard.active = cards.usb.tablet.active = true;
    press();
    expect(hands.leds).toBe(4);
    cards.keyboard.active = cards.tablet.active = true;
    press();
    expect(hands.leds).toBe(2);
    expect(log).toEqual([
      ...["ps2 1 down", "ps2 1 up", "mouse"],
      ...["usb 1 down", "usb 1 up", "usb tablet"],
      ...["virtio 1 down", "virtio 1 up", "virtio tablet"],
    ]);
  });

  it("release a key where it was pressed, when another keyboard came up meanwhile", () => {
    const { log, cards, key } = start();
    key(true);
    cards.keyboard.active = true;
    key(false);
    key(true);
    expect(log).toEqual(["ps2 1 down", "ps2 1 up", "virtio 1 down"]);
  });

  it("move a key that repeats to the keyboard that came up", () => {
    const { log, cards, key } = start();
    key(true);
    cards.keyboard.active = true;
    key(true);
    key(false);
    expect(log).toEqual(["ps2 1 down", "ps2 1 up", "virtio 1 down", "virtio 1 up"]);
  });
});
