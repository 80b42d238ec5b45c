// terrarium clone NAME NEW [--linked] [--snapshot SNAPSHOT] [--count N]
// terrarium fork NAME [NEW] [--count N] [--no-start]
// terrarium template NAME [--off]
import type { MachineDetails } from "../../contract/schemas.ts";
import type { RegisterCommand } from "../command.ts";
import { parseCount } from "../parse.ts";

interface CloneOptions {
  readonly linked?: true;
  readonly snapshot?: string;
  readonly count?: string;
}

export const registerClone: RegisterCommand = (program, run) => {
  program
    .command("clone <name> <new>")
    .description("copy a machine or one of its snapshots")
    .option("--linked", "share the disks of the original instead of copying them: at once, and without taking space")
    .option("--snapshot <snapshot>", "the snapshot to copy instead of the present")
    .option("--count <n>", "make several: NEW 1, NEW 2, ...")
    .action(
      run(async (session, name: string, newName: string, options: CloneOptions) => {
        const count = countOf(options.count);
        const { id } = await session.machine(name);
        const snapshotId = options.snapshot === undefined ? null : (await session.snapshot(id, options.snapshot)).id;
        const kind = options.linked ? ("linked" as const) : ("full" as const);
        const copies = await (await session.client()).machines.clone({ id, name: newName, kind, snapshotId, count });
        session.print(options.count === undefined ? copies[0] : copies, lines(copies));
      }),
    );
};

export const registerFork: RegisterCommand = (program, run) => {
  program
    .command("fork <name> [new]")
    .description("copy a running machine with its memory; both go on from here")
    .option("--count <n>", "make several: NEW 1, NEW 2, ...")
    .option("--no-start", "leave the copies saved instead of running")
    .action(
      run(async (session, name: string, newName: string | undefined, options: { count?: string; start: boolean }) => {
        const count = countOf(options.count);
        const { id } = await session.machine(name);
        const copies = await (await session.client()).machines.fork({
          id,
          count,
          start: options.start,
          ...(newName !== undefined && { name: newName }),
        });
        session.print(options.count === undefined ? copies[0] : copies, lines(copies));
      }),
    );
};

export const registerTemplate: RegisterCommand = (program, run) => {
  program
    .command("template <name>")
    .description("make a machine a template: it is not started itself but cloned")
    .option("--off", "make it an ordinary machine again")
    .action(
      run(async (session, name: string, options: { off?: true }) => {
        const { id } = await session.machine(name);
        const machine = await (await session.client()).machines.setTemplate({ id, template: options.off !== true });
        session.print(machine, "");
      }),
    );
};

function countOf(text: string | undefined): number {
  return text === undefined ? 1 : parseCount(text, "count");
}

function lines(machines: readonly MachineDetails[]): string {
  return machines.map((machine) => `${machine.name} (${machine.id})`).join("\n");
}
