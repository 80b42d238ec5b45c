// virtio-net: features, limits and the configuration structure (virtio 1.2 5.1.3, 5.1.4).

export const VIRTIO_NET_F_CSUM = 1n << 0n;
export const VIRTIO_NET_F_GUEST_CSUM = 1n << 1n;
export const VIRTIO_NET_F_CTRL_GUEST_OFFLOADS = 1n << 2n;
const VIRTIO_NET_F_MTU = 1n << 3n;
const VIRTIO_NET_F_MAC = 1n << 5n;
export const VIRTIO_NET_F_GUEST_TSO4 = 1n << 7n;
export const VIRTIO_NET_F_GUEST_TSO6 = 1n << 8n;
export const VIRTIO_NET_F_HOST_TSO4 = 1n << 11n;
export const VIRTIO_NET_F_HOST_TSO6 = 1n << 12n;
export const VIRTIO_NET_F_MRG_RXBUF = 1n << 15n;
const VIRTIO_NET_F_STATUS = 1n << 16n;
const VIRTIO_NET_F_CTRL_VQ = 1n << 17n;
const VIRTIO_NET_F_CTRL_RX = 1n << 18n;
export const VIRTIO_NET_F_GUEST_ANNOUNCE = 1n << 21n;
const VIRTIO_NET_F_CTRL_MAC_ADDR = 1n << 23n;
const VIRTIO_NET_F_SPEED_DUPLEX = 1n << 63n;

export const NET_FEATURES =
  VIRTIO_NET_F_CSUM |
  VIRTIO_NET_F_GUEST_CSUM |
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS |
  VIRTIO_NET_F_MTU |
  VIRTIO_NET_F_MAC |
  VIRTIO_NET_F_GUEST_TSO4 |
  VIRTIO_NET_F_GUEST_TSO6 |
  VIRTIO_NET_F_HOST_TSO4 |
  VIRTIO_NET_F_HOST_TSO6 |
  VIRTIO_NET_F_MRG_RXBUF |
  VIRTIO_NET_F_STATUS |
  VIRTIO_NET_F_CTRL_VQ |
  VIRTIO_NET_F_CTRL_RX |
  VIRTIO_NET_F_GUEST_ANNOUNCE |
  VIRTIO_NET_F_CTRL_MAC_ADDR |
  VIRTIO_NET_F_SPEED_DUPLEX;

/** What CTRL_GUEST_OFFLOADS may switch. */
export const GUEST_OFFLOADS = VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6;

export const RECEIVE_QUEUE = 0;
export const TRANSMIT_QUEUE = 1;
export const CONTROL_QUEUE = 2;
/** With mergeable buffers of a page, a receive queue holds a megabyte. */
export const QUEUE_SIZES: readonly number[] = [256, 256, 64];

export const CONFIG_LENGTH = 17;
const CONFIG_STATUS = 6;
const STATUS_LINK_UP = 1;
const STATUS_ANNOUNCE = 2;
const MTU_BYTES = 1500;
/** What guests show as link speed, in Mbit/s. Nothing depends on it. */
const SPEED_MBIT = 10_000;
const FULL_DUPLEX = 1;

/** mac[6] status:u16 max_virtqueue_pairs:u16 mtu:u16 speed:u32 duplex:u8 */
export function netConfig(mac: Uint8Array): Uint8Array {
  const config = new Uint8Array(CONFIG_LENGTH);
  const view = new DataView(config.buffer);
  config.set(mac, 0);
  view.setUint16(8, 1, true);
  view.setUint16(10, MTU_BYTES, true);
  view.setUint32(12, SPEED_MBIT, true);
  view.setUint8(16, FULL_DUPLEX);
  return config;
}

export function setConfigStatus(config: Uint8Array, linkUp: boolean, announce: boolean): void {
  config[CONFIG_STATUS] = (linkUp ? STATUS_LINK_UP : 0) | (announce ? STATUS_ANNOUNCE : 0);
}
