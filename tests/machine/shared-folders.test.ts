// A guest mounts a folder of this host, by its kernel's own driver, in the time that a test may take; the long version of it is
// tests/guests/shared-folders.guest.ts.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { FolderShare } from "../../native-core/host/shared-folders/folder-share.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

it("Linux mounts a folder of this host, reads, writes and lists it, and goes on with an open file after a restore", async () => {
  const folder = await mkdtemp(join(tmpdir(), "shared-folders-"));
  try {
    await writeFile(join(folder, "note"), "hello from the host\n");
    const guest = await LinuxGuest.start({
      flavour: "amd64",
      modules: ["virtio_pci", "9pnet_virtio", "9p"],
      script: `
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /new
cat /new/papers/note; echo hello from the guest > /new/papers/answer; mv /new/papers/answer /new/papers/reply; ls -1 /new/papers
exec 5>>/new/papers/reply; echo READY""-TO-SAVE; read line; echo once more >&5; exec 5>&-; cat /new/papers/reply; echo THE""-END; read line`,
      memoryMib: 160,
      commandLine: "console=ttyS0 panic=-1 quiet",
      createProcessor: coreProcessor(await interpreterModule()),
      parts: { sharedFolders: [new FolderShare({ name: "papers", path: folder, readOnly: false })] },
    });
    await guest.waitFor("READY-TO-SAVE");
    expect(guest.console).toMatch(/hello from the host\r\nnote\r\nreply\r\n/);
    expect(await readFile(join(folder, "reply"), "utf8")).toBe("hello from the guest\n");
    await guest.machine.drainSharedFolders();
    guest.machine.restore(structuredClone(guest.machine.save()));
    guest.machine.resume();
    guest.type("\n");
    await guest.waitFor("THE-END");
    expect(guest.console).toMatch(/hello from the guest\r\nonce more\r\n/);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 120_000);
