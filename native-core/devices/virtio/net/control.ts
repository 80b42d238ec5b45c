// Commands of the control queue (virtio 1.2 5.1.6.5): {class:u8 command:u8} data, answered by one byte.

export const CTRL_CLASS = { RX: 0, MAC: 1, ANNOUNCE: 3, GUEST_OFFLOADS: 5 } as const;
export const CTRL_MAC = { TABLE_SET: 0, ADDR_SET: 1 } as const;
export const CTRL_OK = 0;
export const CTRL_ERR = 1;
/** Longer commands have no meaning here: two tables of 512 addresses. */
export const CTRL_MAX_BYTES = 8 * 1024;

/** Two tables, each {entries:u32 mac[6][entries]}; undefined when they don't fit the data. */
export function parseMacTables(data: Uint8Array): [unicast: Uint8Array[], multicast: Uint8Array[]] | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const tables: Uint8Array[][] = [];
  let at = 0;
  for (let table = 0; table < 2; table++) {
    if (at + 4 > data.length) return undefined;
    const entries = view.getUint32(at, true);
    at += 4;
    if (entries * 6 > data.length - at) return undefined;
    tables.push(Array.from({ length: entries }, (_, index) => data.slice(at + 6 * index, at + 6 * index + 6)));
    at += 6 * entries;
  }
  return [tables[0] ?? [], tables[1] ?? []];
}
