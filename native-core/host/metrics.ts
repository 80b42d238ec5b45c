// What a running machine costs, sampled on demand: each sample covers the time since the one before.
import type { CoreCounters } from "../cpu/counters.ts";
import type { Machine } from "../machine/machine.ts";
import type { VmMetrics } from "../protocol/engine.ts";
import { NodeImageFile } from "./node-image-file.ts";

export class Metrics {
  #atMs = performance.now();
  #cpu = process.cpuUsage();
  #instructions = 0n;

  sample(machine: Machine, { exits }: CoreCounters): VmMetrics {
    const atMs = performance.now();
    const cpu = process.cpuUsage();
    const instructions = machine.instructions;
    const elapsedMs = Math.max(1, atMs - this.#atMs);
    const cpuMs = (cpu.user - this.#cpu.user + cpu.system - this.#cpu.system) / 1000;
    // A reset starts the counter anew.
    const retired = Number(instructions >= this.#instructions ? instructions - this.#instructions : instructions);
    this.#atMs = atMs;
    this.#cpu = cpu;
    this.#instructions = instructions;
    return {
      mips: retired / elapsedMs / 1000,
      cpuShare: cpuMs / elapsedMs,
      residentBytes: process.memoryUsage.rss(),
      guestBytes: machine.memoryBytes,
      diskReadBytes: NodeImageFile.readBytes,
      diskWrittenBytes: NodeImageFile.writtenBytes,
      exits: Object.values(exits).reduce((sum, count) => sum + count, 0),
    };
  }
}
