// DHCP messages (RFC 2131 2, options RFC 2132).
import { parseAddress } from "../addresses.ts";

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

export const DHCP_TYPE = {
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  DECLINE: 4,
  ACK: 5,
  NAK: 6,
  RELEASE: 7,
  INFORM: 8,
} as const;

export const DHCP_OPTION = {
  SUBNET_MASK: 1,
  ROUTER: 3,
  DNS: 6,
  HOST_NAME: 12,
  DOMAIN: 15,
  MTU: 26,
  REQUESTED_ADDRESS: 50,
  LEASE_SECONDS: 51,
  MESSAGE_TYPE: 53,
  SERVER: 54,
  RENEWAL_SECONDS: 58,
  REBINDING_SECONDS: 59,
  TFTP_SERVER: 66,
  BOOT_FILE: 67,
} as const;

const FIXED_BYTES = 240;
const COOKIE = [99, 130, 83, 99];
const BOOTREQUEST = 1;
const BOOTREPLY = 2;
/** RFC 1542 2.1: some clients ignore shorter ones. */
const MIN_REPLY_BYTES = 300;

export interface DhcpRequest {
  readonly type: number;
  readonly transaction: Uint8Array;
  readonly flags: Uint8Array;
  readonly mac: Uint8Array;
  /** What the client has already and uses; zeroes otherwise. */
  readonly clientAddress: Uint8Array;
  readonly relay: Uint8Array;
  readonly requestedAddress: Uint8Array | undefined;
  readonly server: Uint8Array | undefined;
  readonly hostName: string;
}

/** Undefined for what is not a well-formed request of an Ethernet client. */
export function parseDhcp(payload: Uint8Array): DhcpRequest | undefined {
  if (payload.length < FIXED_BYTES || payload[0] !== BOOTREQUEST || payload[1] !== 1 || payload[2] !== 6)
    return undefined;
  if (COOKIE.some((byte, index) => payload[236 + index] !== byte)) return undefined;
  const options = new Map<number, Uint8Array>();
  for (let at = FIXED_BYTES; at < payload.length && payload[at] !== 255; ) {
    const code = payload[at] as number;
    if (code === 0) {
      at++;
      continue;
    }
    const length = payload[at + 1];
    if (length === undefined || at + 2 + length > payload.length) return undefined;
    options.set(code, payload.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  const type = options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0];
  if (type === undefined) return undefined;
  const address = (code: number) => {
    const value = options.get(code);
    return value?.length === 4 ? value.slice() : undefined;
  };
  return {
    type,
    transaction: payload.slice(4, 8),
    flags: payload.slice(10, 12),
    clientAddress: payload.slice(12, 16),
    relay: payload.slice(24, 28),
    mac: payload.slice(28, 34),
    requestedAddress: address(DHCP_OPTION.REQUESTED_ADDRESS),
    server: address(DHCP_OPTION.SERVER),
    hostName: printable(options.get(DHCP_OPTION.HOST_NAME)),
  };
}

/** The name a guest gives itself, safe to show. */
function printable(bytes: Uint8Array | undefined): string {
  return Array.from((bytes ?? []).slice(0, 64), (byte) => String.fromCharCode(byte))
    .join("")
    .replace(/[^\w.-]/g, "");
}

export interface DhcpReply {
  readonly type: number;
  /** The client's address; undefined in a refusal. */
  readonly address: Uint8Array | undefined;
  readonly server: Uint8Array;
  readonly bootFile: string;
  readonly options: readonly (readonly [code: number, value: Uint8Array])[];
}

export function buildDhcp(request: DhcpRequest, reply: DhcpReply): Uint8Array {
  const message = new Uint8Array(576);
  message.set([BOOTREPLY, 1, 6, 0]);
  message.set(request.transaction, 4);
  message.set(request.flags, 10);
  if (reply.type !== DHCP_TYPE.NAK) message.set(request.clientAddress, 12);
  if (reply.address) message.set(reply.address, 16);
  if (reply.bootFile !== "") message.set(reply.server, 20);
  message.set(request.relay, 24);
  message.set(request.mac, 28);
  message.set(new TextEncoder().encode(reply.bootFile).subarray(0, 127), 108);
  message.set(COOKIE, 236);
  let at = FIXED_BYTES;
  const all: (readonly [number, Uint8Array])[] = [
    [DHCP_OPTION.MESSAGE_TYPE, Uint8Array.of(reply.type)],
    [DHCP_OPTION.SERVER, reply.server],
    ...reply.options,
  ];
  for (const [code, value] of all) {
    if (at + 2 + value.length + 1 > message.length) break;
    message[at] = code;
    message[at + 1] = value.length;
    message.set(value, at + 2);
    at += 2 + value.length;
  }
  message[at++] = 255;
  return message.subarray(0, Math.max(MIN_REPLY_BYTES, at));
}

export function optionU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export const UNSPECIFIED: Uint8Array = parseAddress("0.0.0.0") as Uint8Array;
