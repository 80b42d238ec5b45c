// terrarium encrypt NAME | decrypt NAME | unlock NAME | lock NAME | passphrase NAME | disk-secret NAME
import type { RegisterCommand } from "../command.ts";
import { readPassphrases } from "../passphrase.ts";
import type { Session } from "../session.ts";

const PASSPHRASE = { text: "Passphrase" } as const;
const NEW_PASSPHRASE = { text: "New passphrase", repeated: true } as const;

/** A command on one machine that wants its passphrase. */
function withPassphrase(
  name: string,
  description: string,
  prompt: { text: string; repeated?: true },
  act: (client: Awaited<ReturnType<Session["client"]>>, id: string, passphrase: string) => Promise<object>,
  done: string,
): RegisterCommand {
  return (program, run) => {
    program
      .command(`${name} <name>`)
      .description(`${description}; the passphrase is asked for, or read from standard input`)
      .action(
        run(async (session, reference: string) => {
          const machine = await session.machine(reference);
          const [passphrase = ""] = await readPassphrases([prompt]);
          await act(await session.client(), machine.id, passphrase);
          session.print({ id: machine.id }, done.replace("{name}", machine.name));
        }),
      );
  };
}

export const registerEncrypt = withPassphrase(
  "encrypt",
  "encrypt a machine's disks and memory with a passphrase",
  NEW_PASSPHRASE,
  (client, id, passphrase) => client.machines.encrypt({ id, passphrase }),
  "{name} is encrypted. Without the passphrase nobody can get at it any more.",
);

export const registerDecrypt = withPassphrase(
  "decrypt",
  "store a machine's disks and memory in the clear again",
  PASSPHRASE,
  (client, id, passphrase) => client.machines.decrypt({ id, passphrase }),
  "{name} is not encrypted any more.",
);

export const registerUnlock = withPassphrase(
  "unlock",
  "let an encrypted machine be used until it is locked or the host ends",
  PASSPHRASE,
  (client, id, passphrase) => client.machines.unlock({ id, passphrase }),
  "{name} is unlocked.",
);

export const registerLock: RegisterCommand = (program, run) => {
  program
    .command("lock <name>")
    .description("forget the key of an encrypted machine that is off or saved")
    .action(
      run(async (session, reference: string) => {
        const machine = await session.machine(reference);
        await (await session.client()).machines.lock({ id: machine.id });
        session.print({ id: machine.id }, `${machine.name} is locked.`);
      }),
    );
};

export const registerPassphrase: RegisterCommand = (program, run) => {
  program
    .command("passphrase <name>")
    .description("change the passphrase of an encrypted machine; both are asked for, or read from standard input")
    .action(
      run(async (session, reference: string) => {
        const { id, name } = await session.machine(reference);
        const [passphrase = "", newPassphrase = ""] = await readPassphrases([PASSPHRASE, NEW_PASSPHRASE]);
        await (await session.client()).machines.changePassphrase({ id, passphrase, newPassphrase });
        session.print({ id }, `${name} has a new passphrase.`);
      }),
    );
};

export const registerDiskSecret: RegisterCommand = (program, run) => {
  program
    .command("disk-secret <name>")
    .description("print what QEMU opens the disks of an encrypted machine with (--object secret,id=key,data=...)")
    .action(
      run(async (session, reference: string) => {
        const { id } = await session.machine(reference);
        const [passphrase = ""] = await readPassphrases([PASSPHRASE]);
        const { secret } = await (await session.client()).machines.diskSecret({ id, passphrase });
        session.print({ secret }, secret);
      }),
    );
};
