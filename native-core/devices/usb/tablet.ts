// A USB pointer with absolute position, three buttons and a wheel: report of buttons:u8, x:u16, y:u16, wheel:i8.
import { HidDevice } from "./hid-device.ts";

const AXIS_MAX = 0x7fff;

/** HID usage tables 1.12; items as in HID 1.11 6.2.2. */
const REPORT_DESCRIPTOR = [
  // Generic desktop, mouse: application { pointer: physical {
  ...[0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00],
  // Three buttons of a bit, five bits of nothing.
  ...[0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02],
  ...[0x95, 0x01, 0x75, 0x05, 0x81, 0x01],
  // X and Y, 0 to 32767, absolute.
  ...[0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f],
  ...[0x75, 0x10, 0x95, 0x02, 0x81, 0x02],
  // Wheel, relative. } }
  ...[0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, 0xc0, 0xc0],
] as const;

export class UsbTablet extends HidDevice {
  constructor() {
    super({
      ...{ productId: 2, product: "Terrarium USB Tablet", bootProtocol: 0 },
      ...{ reportDescriptor: REPORT_DESCRIPTOR, reportBytes: 6 },
    });
  }

  /** Position as fractions 0..1 of the picture; bits of buttons: 0 left, 1 right, 2 middle; wheel down positive. */
  move({ x, y, buttons, wheel }: { x: number; y: number; buttons: number; wheel: number }): void {
    const report = new Uint8Array(6);
    const view = new DataView(report.buffer);
    report[0] = buttons & 7;
    view.setUint16(1, toAxis(x), true);
    view.setUint16(3, toAxis(y), true);
    // HID counts a wheel turned up as positive.
    view.setInt8(5, Math.max(-127, Math.min(127, -wheel)));
    this.report(report);
  }
}

function toAxis(fraction: number): number {
  return Math.round(Math.min(1, Math.max(0, fraction)) * AXIS_MAX);
}
