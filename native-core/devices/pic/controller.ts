// One 8259A. The pair and its ports are in pic.ts.
import { z } from "zod";
import { arrayOf, flag, u8 } from "../state-schema.ts";
import { ICW1, ICW4, OCW2, OCW3 } from "./registers.ts";

export const controllerStateSchema = z.strictObject({
  lines: u8,
  requested: u8,
  inService: u8,
  mask: u8,
  levelTriggered: u8,
  vectorBase: u8,
  lowestPriority: z.int().min(0).max(7),
  /** 0 = ready, else the number of the initialization word expected next. */
  initStep: z.int().min(0).max(4),
  initFlags: arrayOf(flag, 2),
  readInService: flag,
  poll: flag,
  specialMask: flag,
  autoEoi: flag,
  rotateOnAutoEoi: flag,
  specialFullyNested: flag,
});
export type ControllerState = z.infer<typeof controllerStateSchema>;

function powerOn(): ControllerState {
  return {
    lines: 0,
    requested: 0,
    inService: 0,
    mask: 0xff,
    levelTriggered: 0,
    vectorBase: 0,
    lowestPriority: 7,
    initStep: 0,
    initFlags: [false, false],
    readInService: false,
    poll: false,
    specialMask: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
  };
}

export class PicController {
  #state = powerOn();
  readonly #elcrWritable: number;
  readonly #cascade: number;

  /** `cascade`: bit of the input a slave hangs on, 0 for the slave itself. */
  constructor(elcrWritable: number, cascade: number) {
    this.#elcrWritable = elcrWritable;
    this.#cascade = cascade;
  }

  /** Level on the INT pin. */
  get output(): boolean {
    return this.#pending() !== undefined;
  }

  setLine(input: number, level: boolean): void {
    const s = this.#state;
    const bit = 1 << input;
    if (level) {
      if ((s.levelTriggered & bit) !== 0 || (s.lines & bit) === 0) s.requested |= bit;
      s.lines |= bit;
    } else {
      // A request that goes away before it is acknowledged is lost; the acknowledge cycle then yields input 7 (spurious).
      s.requested &= ~bit;
      s.lines &= ~bit;
    }
  }

  /** INTA cycle: the input taken into service, and its vector. Input 7 without service when nothing is pending (spurious). */
  acknowledge(): { input: number; vector: number } {
    const input = this.#pending();
    if (input === undefined) return { input: 7, vector: this.#state.vectorBase | 7 };
    this.#take(input);
    return { input, vector: this.#state.vectorBase | input };
  }

  readCommand(): number {
    const s = this.#state;
    if (s.poll) return this.#poll();
    return s.readInService ? s.inService : s.requested;
  }

  readData(): number {
    return this.#state.poll ? this.#poll() : this.#state.mask;
  }

  writeCommand(value: number): void {
    if ((value & ICW1.INIT) !== 0) this.#initialize(value);
    else if ((value & OCW3.SELECT) !== 0) this.#control(value);
    else this.#endOfInterrupt(value >>> 5, value & 7);
  }

  writeData(value: number): void {
    const s = this.#state;
    const [single, needsIcw4] = s.initFlags;
    switch (s.initStep) {
      case 2:
        s.vectorBase = value & 0xf8;
        s.initStep = !single ? 3 : needsIcw4 ? 4 : 0;
        break;
      case 3:
        s.initStep = needsIcw4 ? 4 : 0;
        break;
      case 4:
        s.autoEoi = (value & ICW4.AUTO_EOI) !== 0;
        s.specialFullyNested = (value & ICW4.SPECIAL_FULLY_NESTED) !== 0;
        s.initStep = 0;
        break;
      default:
        s.mask = value;
    }
  }

  get elcr(): number {
    return this.#state.levelTriggered;
  }

  set elcr(value: number) {
    this.#state.levelTriggered = value & this.#elcrWritable;
    this.#state.requested |= this.#state.lines & this.#state.levelTriggered;
  }

  reset(): void {
    this.#state = { ...powerOn(), lines: this.#state.lines };
  }

  save(): ControllerState {
    return { ...this.#state, initFlags: [...this.#state.initFlags] };
  }

  restore(state: ControllerState): void {
    this.#state = { ...state, initFlags: [...state.initFlags] };
    this.#state.levelTriggered &= this.#elcrWritable;
  }

  /** Highest-priority request that is not masked and not held back by one in service. */
  #pending(): number | undefined {
    const s = this.#state;
    const candidates = s.requested & ~s.mask;
    if (candidates === 0 || s.initStep !== 0) return undefined;
    for (let step = 1; step <= 8; step++) {
      const input = (s.lowestPriority + step) & 7;
      const bit = 1 << input;
      const inService = (s.inService & bit) !== 0;
      // Special mask mode: only the input in service itself is held back, and only if it is not masked.
      const nestedCascade = s.specialFullyNested && bit === this.#cascade;
      if (inService && !nestedCascade && !s.specialMask) return undefined;
      if ((candidates & bit) !== 0 && !(inService && !nestedCascade)) return input;
    }
    return undefined;
  }

  #take(input: number): void {
    const s = this.#state;
    const bit = 1 << input;
    if ((s.levelTriggered & bit) === 0) s.requested &= ~bit;
    if (!s.autoEoi) s.inService |= bit;
    else if (s.rotateOnAutoEoi) s.lowestPriority = input;
  }

  /** Poll command: the read that follows acts as the acknowledge cycle. */
  #poll(): number {
    this.#state.poll = false;
    const input = this.#pending();
    if (input === undefined) return 0;
    this.#take(input);
    return 0x80 | input;
  }

  #initialize(icw1: number): void {
    const { lines, levelTriggered } = this.#state;
    this.#state = {
      ...powerOn(),
      mask: 0,
      lines,
      levelTriggered,
      requested: lines & levelTriggered,
      initStep: 2,
      initFlags: [(icw1 & ICW1.SINGLE) !== 0, (icw1 & ICW1.NEEDS_ICW4) !== 0],
    };
  }

  #control(ocw3: number): void {
    const s = this.#state;
    if ((ocw3 & OCW3.POLL) !== 0) s.poll = true;
    if ((ocw3 & 3) === OCW3.READ_ISR) s.readInService = true;
    else if ((ocw3 & 3) === OCW3.READ_IRR) s.readInService = false;
    if ((ocw3 & 0x40) !== 0) s.specialMask = (ocw3 & OCW3.SPECIAL_MASK_ON) !== 0;
  }

  #endOfInterrupt(command: number, level: number): void {
    const s = this.#state;
    switch (command) {
      case OCW2.EOI:
      case OCW2.ROTATE_EOI: {
        const input = this.#highestInService();
        if (input === undefined) return;
        s.inService &= ~(1 << input);
        if (command === OCW2.ROTATE_EOI) s.lowestPriority = input;
        break;
      }
      case OCW2.SPECIFIC_EOI:
      case OCW2.ROTATE_SPECIFIC_EOI:
        s.inService &= ~(1 << level);
        if (command === OCW2.ROTATE_SPECIFIC_EOI) s.lowestPriority = level;
        break;
      case OCW2.SET_PRIORITY:
        s.lowestPriority = level;
        break;
      case OCW2.ROTATE_AUTO_SET:
      case OCW2.ROTATE_AUTO_CLEAR:
        s.rotateOnAutoEoi = command === OCW2.ROTATE_AUTO_SET;
        break;
    }
  }

  #highestInService(): number | undefined {
    const s = this.#state;
    for (let step = 1; step <= 8; step++) {
      const input = (s.lowestPriority + step) & 7;
      const bit = 1 << input;
      if ((s.inService & bit) !== 0 && !(s.specialMask && (s.mask & bit) !== 0)) return input;
    }
    return undefined;
  }
}
