// Linux's own drivers play a pattern, and every sample of it arrives in order, without a gap, at the pace of the guest's clock. Debian's kernel 6.1
// leaves the driver for virtio out; it is built from the same source.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { type GuestOptions, LinuxGuest } from "../support/linux-guest.ts";
import { ioctlProgram, writeProgram } from "../support/linux-program.ts";
import { debianModule } from "./support/debian-module.ts";

/** Of OSS, which Linux still emulates (sys/soundcard.h). */
const SOUND_MIXER_WRITE_VOLUME = 0xc004_4d00;
const DSP_SPEED = 0xc004_5002;
const DSP_FORMAT = 0xc004_5005;
const DSP_CHANNELS = 0xc004_5006;
const S16_LE = 0x10;
const RATE = 48_000;
/** Left and right of four frames. */
const PATTERN = [0x1001, -0x2002, 0x3003, 0x0404, -0x0505, 0x6006, 0x7007, -0x1111];
const DOUBLINGS = 15;

const VIRTIO_SND = { name: "virtio_snd", folder: "sound/virtio", option: "CONFIG_SND_VIRTIO" } as const;

it("Linux plays through HDA what arrives at the host sample by sample", async () => {
  const guest = await plays("hda", {
    // The codec's driver has to be there when the controller's looks for it.
    modules: ["snd-hda-codec-generic", "snd-pcm-oss", "snd-mixer-oss", "snd-hda-intel"],
    script: "/volume; grep -h Codec: /proc/asound/card0/codec*",
  });
  expect(guest.console).toContain("Codec: Generic");
}, 600_000);

it("Linux plays through virtio-snd what arrives at the host sample by sample", async () => {
  const guest = await plays("virtio", {
    modules: ["virtio_pci", "snd-pcm-oss", "snd-mixer-oss"],
    builtModules: [await debianModule(VIRTIO_SND)],
    script: "cat /proc/asound/cards",
  });
  expect(guest.console).toMatch(/VirtIO SoundCard/);
}, 600_000);

type Drivers = Pick<GuestOptions, "modules" | "builtModules" | "script">;

/** A guest that has played the pattern, as was checked; `script` runs before it plays. */
async function plays(adapter: "hda" | "virtio", { script, ...drivers }: Drivers): Promise<LinuxGuest> {
  const samples: number[] = [];
  let firstNs = 0n;
  let lastNs = 0n;
  const play = (some: Int16Array, rate: number) => {
    if (some.every((sample) => sample === 0)) return;
    expect(rate).toBe(RATE);
    if (samples.length === 0) firstNs = guest.machine.clock.nowNs();
    lastNs = guest.machine.clock.nowNs();
    for (const sample of some) samples.push(sample);
  };
  const octal = Array.from(
    new Uint8Array(Int16Array.from(PATTERN).buffer),
    (byte) => `\\${byte.toString(8).padStart(3, "0")}`,
  );
  const format = [
    [DSP_FORMAT, S16_LE],
    [DSP_CHANNELS, 2],
    [DSP_SPEED, RATE],
  ] as const;
  const guest: LinuxGuest = await LinuxGuest.start({
    flavour: "amd64",
    ...drivers,
    script: `
${writeProgram("/volume", ioctlProgram("/dev/mixer", [[SOUND_MIXER_WRITE_VOLUME, 0x6464]]))}
${writeProgram("/play", ioctlProgram("/dev/dsp", format, "/bin/cat"))}
printf '${octal.join("")}' > /p
for i in ${Array.from({ length: DOUBLINGS }, (_, n) => n).join(" ")}; do cat /p /p > /q; mv /q /p; done
while [ ! -e /dev/dsp ]; do sleep 0.1; done
${script}
/play < /p
echo "PLAYED"; sleep 1000
`,
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 192,
    parts: { sound: { adapter, sink: { play } } },
  });
  await guest.waitFor("PLAYED");
  const frames = (PATTERN.length / 2) * 2 ** DOUBLINGS;
  const start = samples.findIndex((sample) => sample !== 0);
  const heard = samples.slice(start, start + frames * 2);
  expect(heard.length).toBe(frames * 2);
  expect(heard.findIndex((sample, index) => sample !== PATTERN[index % PATTERN.length])).toBe(-1);
  expect(samples.slice(start + frames * 2).every((sample) => sample === 0)).toBe(true);
  const seconds = Number(lastNs - firstNs) / 1e9;
  expect(Math.abs(seconds - frames / RATE)).toBeLessThan(0.1);
  return guest;
}
