// Control messages of virtio-console: {port:u32 event:u16 value:u16} and a payload for some (virtio 1.2 5.3.6.2).

export const CONTROL_EVENT = {
  DEVICE_READY: 0,
  DEVICE_ADD: 1,
  DEVICE_REMOVE: 2,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

export const CONTROL_HEADER_BYTES = 8;

export function controlMessage(port: number, event: number, value: number, payload?: Uint8Array): Uint8Array {
  const message = new Uint8Array(CONTROL_HEADER_BYTES + (payload?.length ?? 0));
  const view = new DataView(message.buffer);
  view.setUint32(0, port, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  if (payload) message.set(payload, CONTROL_HEADER_BYTES);
  return message;
}

export function parseControl(bytes: Uint8Array): { port: number; event: number; value: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { port: view.getUint32(0, true), event: view.getUint16(4, true), value: view.getUint16(6, true) };
}
