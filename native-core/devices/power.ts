// What devices may ask of the machine's power: the pins of the chipset that reset it or switch it off.

export interface PowerControl {
  /** Hard reset of CPU and devices, effective at the end of the current instruction block. */
  requestReset(): void;
  requestPowerOff(): void;
}
