// What the controller says about itself and its namespaces (NVMe 1.4, 5.15) and its log pages (5.14).
import { ASYNC_EVENT_REQUESTS_MAX, IO, LBA_BYTES, MDTS, PAGE_BYTES, VERSION_1_4 } from "./registers.ts";

const VENDOR_ID = 0x1b36;
const SUBSYSTEM_VENDOR_ID = 0x1af4;
const ONCS_DATASET_MANAGEMENT = 1 << 2;
const ONCS_WRITE_ZEROES = 1 << 3;
const NVME_QUALIFIED_NAME = "nqn.2014-08.org.nvmexpress:terrarium:";

function text(target: Uint8Array, at: number, length: number, value: string): void {
  target.fill(0x20, at, at + length);
  target.set(new TextEncoder().encode(value).subarray(0, length), at);
}

export function identifyController(serial: string, namespaces: number): Uint8Array {
  const data = new Uint8Array(PAGE_BYTES);
  const view = new DataView(data.buffer);
  view.setUint16(0, VENDOR_ID, true);
  view.setUint16(2, SUBSYSTEM_VENDOR_ID, true);
  text(data, 4, 20, serial);
  text(data, 24, 40, "TERRARIUM NVME DISK");
  text(data, 64, 8, "1.0");
  data[72] = 6; // RAB
  data[77] = MDTS;
  view.setUint16(78, 1, true); // CNTLID
  view.setUint32(80, VERSION_1_4, true);
  data[111] = 1; // CNTRLTYPE: I/O controller
  data[258] = 3; // ACL
  data[259] = ASYNC_EVENT_REQUESTS_MAX - 1;
  data[260] = 3; // FRMW: one slot, read-only
  view.setUint16(266, 0x157, true); // WCTEMP: 343 K
  view.setUint16(268, 0x175, true); // CCTEMP: 373 K
  data[512] = 0x66; // SQES
  data[513] = 0x44; // CQES
  view.setUint32(516, namespaces, true);
  view.setUint16(520, ONCS_DATASET_MANAGEMENT | ONCS_WRITE_ZEROES, true);
  data[525] = 1; // VWC: there is a write cache
  text(data, 768, 256, "");
  data.fill(0, 768, 1024);
  data.set(new TextEncoder().encode(NVME_QUALIFIED_NAME + serial).subarray(0, 255), 768);
  view.setUint16(2048, 2500, true); // Power state 0: 25 W
  return data;
}

export function identifyNamespace(sizeBytes: number, readOnly: boolean): Uint8Array {
  const data = new Uint8Array(PAGE_BYTES);
  const view = new DataView(data.buffer);
  const blocks = BigInt(Math.floor(sizeBytes / LBA_BYTES));
  for (const at of [0, 8, 16]) view.setBigUint64(at, blocks, true);
  data[24] = 1; // NSFEAT: thin provisioned
  data[99] = readOnly ? 1 : 0; // NSATTR
  data[130] = Math.log2(LBA_BYTES);
  return data;
}

/** The namespaces after `after`, as 32-bit numbers. */
export function activeNamespaces(count: number, after: number): Uint8Array {
  const data = new Uint8Array(PAGE_BYTES);
  const view = new DataView(data.buffer);
  for (let id = after + 1, at = 0; id <= count && at < PAGE_BYTES; id++, at += 4) view.setUint32(at, id, true);
  return data;
}

const LOG = { ERRORS: 1, HEALTH: 2, FIRMWARE: 3, COMMANDS: 5 } as const;

/** A log page from its beginning; undefined: there is no such page. */
export function logPage(id: number): Uint8Array | undefined {
  const data = new Uint8Array(id === LOG.COMMANDS ? PAGE_BYTES : 512);
  const view = new DataView(data.buffer);
  switch (id) {
    case LOG.ERRORS:
      return data;
    case LOG.HEALTH:
      view.setUint16(1, 300, true); // Composite temperature in kelvin
      data[3] = 100; // Spare left, in percent
      data[4] = 10;
      return data;
    case LOG.FIRMWARE:
      data[0] = 1;
      text(data, 8, 8, "1.0");
      return data;
    case LOG.COMMANDS: {
      for (const opcode of [0, 1, 2, 4, 5, 6, 8, 9, 10, 12]) view.setUint32(opcode * 4, 1, true);
      for (const opcode of Object.values(IO)) view.setUint32(1024 + opcode * 4, 1, true);
      return data;
    }
    default:
      return undefined;
  }
}
