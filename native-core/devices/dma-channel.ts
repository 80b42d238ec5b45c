// A channel of the ISA DMA controller as its device sees it.

export interface DmaChannel {
  /** Bytes that the channel would move now; 0 while it is masked. */
  room(): number;
  /** A device's data into memory; yields whether the channel has reached its end. */
  toMemory(data: Uint8Array): boolean;
  /** Fills `data` from memory; yields whether the channel has reached its end. */
  fromMemory(data: Uint8Array): boolean;
}
