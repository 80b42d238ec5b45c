// The 8042 keyboard controller with a PS/2 keyboard and mouse behind it: ports 0x60 and 0x64.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { A20Gate } from "../chipset/processor-pins.ts";
import type { Device, InterruptLine, IoBus } from "../device.ts";
import type { PowerControl } from "../power.ts";
import { flag, u8 } from "../state-schema.ts";
import { keyboardStateSchema, Ps2Keyboard } from "./keyboard.ts";
import { mouseStateSchema, Ps2Mouse } from "./mouse.ts";
import { OUTPUT_PORT, PS2_COMMAND, PS2_COMMAND_PORT, PS2_CONFIG, PS2_DATA_PORT, PS2_STATUS } from "./registers.ts";
import { ScanCodeTranslator } from "./scan-codes.ts";

type Source = "keyboard" | "mouse" | "controller";

const SELF_TEST_PASSED = 0x55;
const PORT_TEST_PASSED = 0x00;
/** As firmware leaves it: both interrupts on, translation on, self-test passed. */
const RESET_CONFIG = PS2_CONFIG.KEYBOARD_IRQ | PS2_CONFIG.MOUSE_IRQ | PS2_CONFIG.SYSTEM | PS2_CONFIG.TRANSLATE;

const stateSchema = z.strictObject({
  config: u8,
  outputPort: u8,
  command: u8,
  lastWasCommand: flag,
  output: u8,
  outputFull: flag,
  outputSource: z.enum(["keyboard", "mouse", "controller"]),
  breakNext: flag,
  keyboard: keyboardStateSchema,
  mouse: mouseStateSchema,
});
export type Ps2State = z.infer<typeof stateSchema>;

export interface Ps2Parts {
  bus: IoBus;
  keyboardIrq: InterruptLine;
  mouseIrq: InterruptLine;
  power: PowerControl;
  a20: A20Gate;
}

export class Ps2Controller implements Device<Ps2State> {
  readonly name = "ps2";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<Ps2State> = stateSchema;
  readonly #parts: Ps2Parts;
  readonly #keyboard = new Ps2Keyboard();
  readonly #mouse = new Ps2Mouse();
  readonly #translator = new ScanCodeTranslator();
  #config = RESET_CONFIG;
  /** Without A20, which is the gate's. */
  #outputPort: number = OUTPUT_PORT.NOT_RESET;
  /** Controller command whose argument is the next data byte; 0 = none. */
  #command = 0;
  #lastWasCommand = false;
  #output = 0;
  #outputFull = false;
  #outputSource: Source = "controller";

  constructor(parts: Ps2Parts) {
    this.#parts = parts;
    const data = byteWide(
      () => this.#readData(),
      (_, value) => this.#writeData(value),
    );
    const command = byteWide(
      () => this.#status(),
      (_, value) => this.#writeCommand(value),
    );
    parts.bus.mapPorts(PS2_DATA_PORT, 1, data);
    parts.bus.mapPorts(PS2_COMMAND_PORT, 1, command);
  }

  /** A key of the host's keyboard; numbers as in scan-codes.ts. */
  key(key: number, down: boolean): void {
    this.#keyboard.key(key, down);
    this.#pump();
  }

  move(dx: number, dy: number, wheel: number, buttons: number): void {
    this.#mouse.move(dx, dy, wheel, buttons);
    this.#pump();
  }

  get leds(): number {
    return this.#keyboard.leds;
  }

  reset(): void {
    this.#config = RESET_CONFIG;
    this.#outputPort = OUTPUT_PORT.NOT_RESET;
    this.#command = 0;
    this.#lastWasCommand = false;
    this.#output = 0;
    this.#outputFull = false;
    this.#outputSource = "controller";
    this.#translator.breakNext = false;
    this.#keyboard.reset();
    this.#mouse.reset();
    this.#updateIrqs();
  }

  save(): Ps2State {
    return {
      config: this.#config,
      outputPort: this.#outputPortLevels,
      command: this.#command,
      lastWasCommand: this.#lastWasCommand,
      output: this.#output,
      outputFull: this.#outputFull,
      outputSource: this.#outputSource,
      breakNext: this.#translator.breakNext,
      keyboard: this.#keyboard.save(),
      mouse: this.#mouse.save(),
    };
  }

  restore(state: Ps2State): void {
    this.#config = state.config;
    this.#outputPort = state.outputPort & ~OUTPUT_PORT.A20;
    this.#command = state.command;
    this.#lastWasCommand = state.lastWasCommand;
    this.#output = state.output;
    this.#outputFull = state.outputFull;
    this.#outputSource = state.outputSource;
    this.#translator.breakNext = state.breakNext;
    this.#keyboard.restore(state.keyboard);
    this.#mouse.restore(state.mouse);
    this.#updateIrqs();
  }

  #status(): number {
    return (
      (this.#outputFull ? PS2_STATUS.OUTPUT_FULL : 0) |
      (this.#outputFull && this.#outputSource === "mouse" ? PS2_STATUS.MOUSE_DATA : 0) |
      (this.#config & PS2_CONFIG.SYSTEM ? PS2_STATUS.SYSTEM : 0) |
      (this.#lastWasCommand ? PS2_STATUS.COMMAND : 0) |
      PS2_STATUS.UNLOCKED
    );
  }

  #readData(): number {
    const value = this.#output;
    this.#outputFull = false;
    this.#updateIrqs();
    this.#pump();
    return value;
  }

  #writeData(value: number): void {
    const command = this.#command;
    this.#command = 0;
    this.#lastWasCommand = false;
    switch (command) {
      case PS2_COMMAND.WRITE_CONFIG:
        this.#config = value & 0x7f;
        this.#updateIrqs();
        break;
      case PS2_COMMAND.WRITE_OUTPUT_PORT:
        this.#writeOutputPort(value);
        break;
      case PS2_COMMAND.WRITE_KEYBOARD_OUTPUT:
        this.#respond(value, "keyboard");
        break;
      case PS2_COMMAND.WRITE_MOUSE_OUTPUT:
        this.#respond(value, "mouse");
        break;
      case PS2_COMMAND.WRITE_MOUSE:
        this.#mouse.receive(value);
        break;
      default:
        // Talking to the keyboard switches its interface on.
        this.#config &= ~PS2_CONFIG.KEYBOARD_OFF;
        this.#keyboard.receive(value);
    }
    this.#pump();
  }

  #writeCommand(value: number): void {
    this.#lastWasCommand = true;
    this.#command = 0;
    if (value >= PS2_COMMAND.PULSE) {
      if ((value & OUTPUT_PORT.NOT_RESET) === 0) this.#parts.power.requestReset();
      return;
    }
    switch (value) {
      case PS2_COMMAND.READ_CONFIG:
        this.#respond(this.#config, "controller");
        break;
      case PS2_COMMAND.WRITE_CONFIG:
      case PS2_COMMAND.WRITE_OUTPUT_PORT:
      case PS2_COMMAND.WRITE_KEYBOARD_OUTPUT:
      case PS2_COMMAND.WRITE_MOUSE_OUTPUT:
      case PS2_COMMAND.WRITE_MOUSE:
        this.#command = value;
        break;
      case PS2_COMMAND.MOUSE_OFF:
        this.#config |= PS2_CONFIG.MOUSE_OFF;
        break;
      case PS2_COMMAND.MOUSE_ON:
        this.#config &= ~PS2_CONFIG.MOUSE_OFF;
        break;
      case PS2_COMMAND.KEYBOARD_OFF:
        this.#config |= PS2_CONFIG.KEYBOARD_OFF;
        break;
      case PS2_COMMAND.KEYBOARD_ON:
        this.#config &= ~PS2_CONFIG.KEYBOARD_OFF;
        break;
      case PS2_COMMAND.SELF_TEST:
        this.#config |= PS2_CONFIG.SYSTEM;
        this.#respond(SELF_TEST_PASSED, "controller");
        break;
      case PS2_COMMAND.MOUSE_TEST:
      case PS2_COMMAND.KEYBOARD_TEST:
        this.#respond(PORT_TEST_PASSED, "controller");
        break;
      case PS2_COMMAND.READ_INPUT:
        this.#respond(0, "controller");
        break;
      case PS2_COMMAND.READ_OUTPUT_PORT:
        this.#respond(this.#outputPortLevels, "controller");
        break;
      case PS2_COMMAND.A20_OFF:
        this.#parts.a20.enabled = false;
        break;
      case PS2_COMMAND.A20_ON:
        this.#parts.a20.enabled = true;
        break;
    }
    this.#pump();
  }

  get #outputPortLevels(): number {
    return this.#outputPort | (this.#parts.a20.enabled ? OUTPUT_PORT.A20 : 0);
  }

  #writeOutputPort(value: number): void {
    this.#outputPort = value & ~OUTPUT_PORT.A20;
    this.#parts.a20.enabled = (value & OUTPUT_PORT.A20) !== 0;
    if ((value & OUTPUT_PORT.NOT_RESET) === 0) this.#parts.power.requestReset();
  }

  /** Moves the next byte of keyboard or mouse into the output buffer, if that is empty. */
  #pump(): void {
    while (!this.#outputFull) {
      const fromKeyboard = this.#config & PS2_CONFIG.KEYBOARD_OFF ? undefined : this.#keyboard.take();
      if (fromKeyboard !== undefined) {
        const translating = (this.#config & PS2_CONFIG.TRANSLATE) !== 0;
        const byte = translating ? this.#translator.translate(fromKeyboard) : fromKeyboard;
        if (byte !== undefined) this.#respond(byte, "keyboard");
        continue;
      }
      const fromMouse = this.#config & PS2_CONFIG.MOUSE_OFF ? undefined : this.#mouse.take();
      if (fromMouse === undefined) return;
      this.#respond(fromMouse, "mouse");
    }
  }

  #respond(byte: number, source: Source): void {
    this.#output = byte;
    this.#outputFull = true;
    this.#outputSource = source;
    this.#updateIrqs();
  }

  #updateIrqs(): void {
    const full = this.#outputFull;
    const mouse = this.#outputSource === "mouse";
    this.#parts.keyboardIrq.set(full && !mouse && (this.#config & PS2_CONFIG.KEYBOARD_IRQ) !== 0);
    this.#parts.mouseIrq.set(full && mouse && (this.#config & PS2_CONFIG.MOUSE_IRQ) !== 0);
  }
}
