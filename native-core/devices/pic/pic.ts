// The pair of 8259A controllers as a device: 15 interrupt inputs, ports 0x20/0x21, 0xA0/0xA1 and ELCR at 0x4D0/0x4D1.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, InterruptLine, IoBus } from "../device.ts";
import { type ControllerState, controllerStateSchema, PicController } from "./controller.ts";
import { ELCR_WRITABLE, PIC_CASCADE_IRQ, PIC_ELCR_PORT, PIC_MASTER_PORT, PIC_SLAVE_PORT } from "./registers.ts";

const stateSchema = z.strictObject({ master: controllerStateSchema, slave: controllerStateSchema });

export interface PicState {
  master: ControllerState;
  slave: ControllerState;
}

export class Pic implements Device<PicState> {
  readonly name = "pic";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<PicState> = stateSchema;
  readonly #master = new PicController(ELCR_WRITABLE[0], 1 << PIC_CASCADE_IRQ);
  readonly #slave = new PicController(ELCR_WRITABLE[1], 0);
  readonly #output: InterruptLine;

  /** `output`: the INTR wire to the processor (through LINT0 of its local APIC). */
  constructor(bus: IoBus, output: InterruptLine) {
    this.#output = output;
    for (const [base, controller] of [
      [PIC_MASTER_PORT, this.#master],
      [PIC_SLAVE_PORT, this.#slave],
    ] as const) {
      bus.mapPorts(
        base,
        2,
        byteWide(
          (offset) => this.#updated(offset === 0 ? controller.readCommand() : controller.readData()),
          (offset, value) => {
            if (offset === 0) controller.writeCommand(value);
            else controller.writeData(value);
            this.#update();
          },
        ),
      );
    }
    bus.mapPorts(
      PIC_ELCR_PORT,
      2,
      byteWide(
        (offset) => (offset === 0 ? this.#master : this.#slave).elcr,
        (offset, value) => {
          (offset === 0 ? this.#master : this.#slave).elcr = value;
          this.#update();
        },
      ),
    );
  }

  /** ISA interrupt input `irq`, 0..15 (2 is the cascade and has none). */
  line(irq: number): InterruptLine {
    const controller = irq < 8 ? this.#master : this.#slave;
    return {
      set: (level) => {
        controller.setLine(irq & 7, level);
        this.#update();
      },
    };
  }

  /** The processor's interrupt acknowledge cycle: the vector, a spurious one if the request went away. */
  acknowledge(): number {
    const master = this.#master.acknowledge();
    let { vector } = master;
    if (master.input === PIC_CASCADE_IRQ) {
      vector = this.#slave.acknowledge().vector;
      // The slave's INT pin drops during the cycle, so that a further request of its makes a new edge at the master.
      this.#master.setLine(PIC_CASCADE_IRQ, false);
    }
    this.#update();
    return vector;
  }

  reset(): void {
    this.#master.reset();
    this.#slave.reset();
    this.#update();
  }

  save(): PicState {
    return { master: this.#master.save(), slave: this.#slave.save() };
  }

  restore(state: PicState): void {
    this.#master.restore(state.master);
    this.#slave.restore(state.slave);
    this.#output.set(this.#master.output);
  }

  #updated(value: number): number {
    this.#update();
    return value;
  }

  #update(): void {
    this.#master.setLine(PIC_CASCADE_IRQ, this.#slave.output);
    this.#output.set(this.#master.output);
  }
}
