// What the kernel makes of input devices, read as a program would from /dev/input.

/** A shell command that prints the next `count` events of a device. */
export function recordEvents(device: string, count: number): string {
  return `dd if=${device} bs=24 count=${count} 2>/dev/null | od -v -A n -t d2 -w24 | while read a b c d e f g h type code low high; do echo EV $type $code $low; done`;
}

/** What it printed, as type, code and value. */
export function recordedEvents(text: string): number[][] {
  return Array.from(text.matchAll(/EV (\d+) (\d+) (-?\d+)/g), ([, ...parts]) => parts.map(Number));
}

/** A shell command that names every device. */
export const NAME_INPUT_DEVICES = `for event in /sys/class/input/event*; do echo "$(cat $event/device/name) is $\{event##*/}"; done`;

/** The device that `NAME_INPUT_DEVICES` gave this name. */
export function inputDevice(text: string, name: string): string {
  const event = new RegExp(`${name} is (event\\d+)`).exec(text)?.[1];
  if (!event) throw new Error(`no ${name}:\n${text.slice(-2000)}`);
  return `/dev/input/${event}`;
}
