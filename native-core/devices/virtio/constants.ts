// Numbers of the virtio 1.2 specification that all device types share, in the specification's spelling.

/** virtio 1.2 2.1: the device status field. */
export const DEVICE_STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** virtio 1.2 6: feature bits that do not belong to a device type. */
export const VIRTIO_F_INDIRECT_DESC = 1n << 28n;
export const VIRTIO_F_EVENT_IDX = 1n << 29n;
export const VIRTIO_F_VERSION_1 = 1n << 32n;
export const VIRTIO_F_RING_RESET = 1n << 40n;

export const TRANSPORT_FEATURES =
  VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET;

/** virtio 1.2 2.7: flags of descriptors and rings. */
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;

/** virtio 1.2 4.1.4.3: a vector register with this value means "no interrupt". */
export const VIRTIO_MSI_NO_VECTOR = 0xffff;

/** virtio 1.2 4.1.4.5: bits of the ISR status byte. */
export const ISR_QUEUE = 1;
export const ISR_CONFIG = 2;

/** virtio 1.2 4.1.4.3: offsets in the common configuration structure. */
export const COMMON_CONFIG = {
  DEVICE_FEATURE_SELECT: 0x00,
  DEVICE_FEATURE: 0x04,
  DRIVER_FEATURE_SELECT: 0x08,
  DRIVER_FEATURE: 0x0c,
  CONFIG_MSIX_VECTOR: 0x10,
  NUM_QUEUES: 0x12,
  DEVICE_STATUS: 0x14,
  CONFIG_GENERATION: 0x15,
  QUEUE_SELECT: 0x16,
  QUEUE_SIZE: 0x18,
  QUEUE_MSIX_VECTOR: 0x1a,
  QUEUE_ENABLE: 0x1c,
  QUEUE_NOTIFY_OFF: 0x1e,
  QUEUE_DESC: 0x20,
  QUEUE_DRIVER: 0x28,
  QUEUE_DEVICE: 0x30,
  QUEUE_NOTIFY_DATA: 0x38,
  QUEUE_RESET: 0x3a,
  LENGTH: 0x3c,
} as const;

/** virtio 1.2 5: device types. */
export const DEVICE_ID = {
  NETWORK: 1,
  BLOCK: 2,
  CONSOLE: 3,
  ENTROPY: 4,
  SCSI: 8,
  P9: 9,
  GPU: 16,
  INPUT: 18,
  SOUND: 25,
} as const;
