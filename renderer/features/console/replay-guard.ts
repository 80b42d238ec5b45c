// Old output may hold questions to the terminal ("where is the cursor?"). When the host replays it, xterm.js answers again, and
// the answers would be typed into the guest's shell as if by the user. This guard drops such answers until the replay is over.

/** Reports a terminal sends by itself: device attributes, cursor position, modes, colours, DCS and OSC answers. */
const ESC = String.fromCharCode(0x1b);
const REPORT = new RegExp(String.raw`^${ESC}(\[[?>]?[\d;]*(c|R|n|\$y)|P|\])`);

/** The replay is taken to be over when nothing arrived for this long. */
export const REPLAY_QUIET_MS = 150;

export class ReplayGuard {
  #replaying = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  get replaying(): boolean {
    return this.#replaying;
  }

  begin(): void {
    this.#replaying = true;
    this.arrived();
  }

  /** To be called for every piece of output. */
  arrived(): void {
    if (!this.#replaying) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#replaying = false;
    }, REPLAY_QUIET_MS);
  }

  /** Whether this data from the terminal may go to the guest. Keys always may. */
  allows(data: string): boolean {
    return !this.#replaying || !REPORT.test(data);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }
}
