// terrarium screenshot NAME FILE.png
import path from "node:path";
import { writeFileAtomic } from "../../store/atomic-file.ts";
import { ioFailure } from "../../store/io-error.ts";
import type { RegisterCommand } from "../command.ts";

export const registerScreenshot: RegisterCommand = (program, run) => {
  program
    .command("screenshot <name> <file>")
    .description("write the machine's screen into a PNG file")
    .action(
      run(async (session, name: string, file: string) => {
        const { id } = await session.machine(name);
        const { pngBase64, width, height } = await (await session.client()).machines.screenshot({ id });
        const target = path.resolve(file);
        try {
          await writeFileAtomic(target, Buffer.from(pngBase64, "base64"), 0o644);
        } catch (error) {
          throw ioFailure(error, target, { consequence: "The picture was not written." });
        }
        session.print({ file: target, width, height }, "");
      }),
    );
};
