// What travels on a virtual wire: one Ethernet frame, with the work its sender left to others (offloads).
//
// A frame may leave two things open, as on the way between a host's stack and its adapter: the transport checksum (then the field holds
// the pseudo-header's sum) and the cutting of a large TCP segment into packets. Ends that want neither call `completed` or `cut`.

/** Longest frame at all: an IP packet of 64 KiB behind its Ethernet header. */
export const MAX_OFFLOAD_FRAME_BYTES = 65_535 + 18;

export class Frame {
  /** From the destination address on; neither preamble nor check sequence. Nobody changes them after the frame was sent. */
  readonly bytes: Uint8Array;
  /** Where the bytes covered by the unfinished transport checksum begin; 0 = the checksum is complete. */
  readonly checksumStart: number;
  /** Where the checksum is stored, from `checksumStart`. */
  readonly checksumOffset: number;
  /** TCP payload bytes per packet, when this is a segment still to be cut; 0 = it is one packet. */
  readonly segmentBytes: number;

  constructor(bytes: Uint8Array, checksumStart = 0, checksumOffset = 0, segmentBytes = 0) {
    this.bytes = bytes;
    this.checksumStart = checksumStart;
    this.checksumOffset = checksumOffset;
    this.segmentBytes = segmentBytes;
  }
}

/** One end of a wire. */
export interface FrameReceiver {
  /** Takes a frame. False: there was no room, the frame is lost. */
  receive(frame: Frame): boolean;
}

/** The end that is a guest's adapter: it can say beforehand whether it has room. */
export interface AdapterEnd extends FrameReceiver {
  readonly hasRoom: boolean;
  /** Nothing that was sent before is still waiting: a guest that stands still takes nothing. */
  readonly isIdle: boolean;
}

/** What an adapter is plugged into: a NAT, a switch. */
export interface NetworkEnd {
  /** A frame from the guest. */
  receive(frame: Frame): void;
  /** The guest has sent all it had for now: answers that were held back may go out together. */
  flush(): void;
  /** The adapter has room again after it had none. */
  roomAgain(): void;
  dispose(): void;
}
