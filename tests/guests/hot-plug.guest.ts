// A running Linux is given disks and adapters, and lets go of them.
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { idleAdapter } from "../support/idle-adapter.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { PcGuest } from "../support/pc-guest.ts";

const TIMEOUT_MS = 300_000;

describe("A running Linux", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;
  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });
  const running: PcGuest[] = [];
  afterEach(() => {
    for (const guest of running.splice(0)) guest.stop();
  });

  it(
    "finds a disk and adapters that are plugged in, and lets go of them when asked",
    async () => {
      const disk = await grubDisk(
        [
          "echo READY",
          "until [ -e /dev/vdb ] && [ -e /sys/class/net/eth1 ]; do usleep 50000; done",
          "dd if=/dev/vdb bs=512 count=1 2>/dev/null | head -c 12; echo",
          "dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync 2>/dev/null",
          "cat /sys/class/net/eth*/address; ls -l /sys/block/vdb; echo FOUND",
          "while [ -e /dev/vdb ] || [ -e /sys/class/net/eth0 ] || [ -e /sys/class/net/eth1 ]; do usleep 50000; done; echo GONE; read line",
        ].join("\n"),
        { drivers: ["virtio_pci", "virtio_blk", "virtio_net", "e1000"], awaited: ["/dev/vda1"] },
      );
      const guest = await PcGuest.start({
        ...{ createProcessor, memoryMib: 256 },
        parts: { disks: [{ id: "disk0", backend: disk }] },
      });
      running.push(guest);
      await guest.waitForConsole("READY");
      const added = memoryDisk(1 << 20);
      added.content.set(new TextEncoder().encode("hello there\n"));
      guest.machine.plugDisk({ id: "disk1", backend: added }, 9);
      guest.machine.plugAdapter(idleAdapter(1, "virtio"), 16);
      guest.machine.plugAdapter(idleAdapter(2, "e1000"), 17);
      await guest.waitForConsole("FOUND");
      expect(guest.console).toContain("hello there");
      expect(guest.console).toContain("52:54:00:00:00:01");
      expect(guest.console).toContain("52:54:00:00:00:02");
      expect(guest.console).toContain("0000:00:09.0");
      expect(added.content[0]).toBe(0);
      const removed: string[] = [];
      guest.machine.board.onRemoved = (name) => void removed.push(name);
      for (const name of ["virtio-blk-disk1", "virtio-net-nic1", "e1000-nic2"]) {
        expect(guest.machine.board.unplug(name, false)).toBe(true);
      }
      await guest.waitForConsole("GONE");
      await guest.waitFor("the last ejection", () => removed.length === 3);
      expect(removed.sort()).toEqual(["e1000-nic2", "virtio-blk-disk1", "virtio-net-nic1"]);
      // What is left is saved and restored without them.
      guest.stop();
      expect(Object.keys(guest.machine.save().devices)).not.toContain("virtio-blk-disk1");
    },
    TIMEOUT_MS,
  );
});
