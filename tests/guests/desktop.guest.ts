// An installed Debian in the product's VM process: GRUB, systemd's login, a desktop that is used by mouse, and apt through the NAT.
import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultAdapter } from "../../native-core/config/network-settings.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import type { StarterVm } from "../support/vm/starter-vm.ts";
import { debianMirror, type Mirror } from "./support/debian-mirror.ts";
import { desktopDisk, PASSWORD } from "./support/desktop-system.ts";
import { startPcVm } from "./support/pc-vm.ts";
import { GuestScreen, type Picture, share } from "./support/screen.ts";

const TIMEOUT_MS = 1_200_000;
const WAIT_MS = 600_000;
const ANSWER_MS = 20_000;
const PICTURES = "out/pictures/guests";
const WHITE = 0xffffff;
const MAGENTA = 0xff00ff;
/** Where the desktop is clicked for its menu, whose first entry is a terminal. */
const MENU = { x: 300, y: 300 };

const isMenu = (picture: Picture): boolean => share(picture, WHITE) > 0.01;

/** The desktop is a black screen, as it is before its program listens to the mouse: so this may have to be done again. */
async function askForMenu(screen: GuestScreen): Promise<boolean> {
  screen.click(MENU.x, MENU.y, "right");
  return screen.waitFor("the menu", isMenu, ANSWER_MS).then(
    () => true,
    () => false,
  );
}

describe.skipIf(process.getuid?.() !== 0)("an installed Debian (needs root for mmdebstrap)", () => {
  const folder = temporaryFolder("desktop");
  let mirror: Mirror;
  let vm: StarterVm;
  let screen: GuestScreen;

  beforeAll(async () => {
    const file = join(folder.path, "disk0.qcow2");
    await copyFile(await desktopDisk(), file, constants.COPYFILE_FICLONE);
    mirror = await debianMirror();
    vm = await startPcVm({
      folder: folder.path,
      config: { adapters: [{ ...defaultAdapter("nic0", "52:54:00:12:34:56"), reach: [`host:${mirror.port}`] }] },
      disks: [{ id: "disk0", file, format: "qcow2", readOnly: false }],
    });
    screen = await GuestScreen.open(vm.client, vm.request.dataSocket);
  }, TIMEOUT_MS);

  afterAll(async () => {
    screen?.close();
    await vm?.kill();
    mirror?.close();
    folder.remove();
  });

  it(
    "boots through GRUB to systemd's login, and lets in who knows the password",
    async () => {
      await vm.expect(/Debian GNU\/Linux 12 desk ttyS0[^]*desk login: /, WAIT_MS);
      await vm.client.request("sendText", { port: 0, text: "root\n" });
      await vm.expect(/Password: /, WAIT_MS);
      await vm.client.request("sendText", { port: 0, text: `${PASSWORD}\n` });
      await vm.expect(/root@desk:~# /, WAIT_MS);
      // A shell that prints no escape sequences around what commands print.
      await vm.client.request("sendText", { port: 0, text: "exec env TERM=dumb bash --noediting\n" });
      await vm.expect(/noediting[^]*# /, WAIT_MS);
      const services = await vm.command("systemctl is-active dbus systemd-networkd desktop");
      expect(services.split("\n")).toEqual(["active", "active", "active"]);
    },
    TIMEOUT_MS,
  );

  it(
    "shows a desktop on which the mouse opens a terminal, and the terminal does what is typed",
    async () => {
      await screen.waitFor("the desktop's menu", async (picture) => isMenu(picture) || askForMenu(screen), WAIT_MS);
      await screen.keep(`${PICTURES}/menu.png`);
      screen.click(MENU.x + 50, MENU.y + 9);
      await screen.waitFor("the terminal", (picture) => share(picture, WHITE) > 0.1, WAIT_MS);
      // The terminal's own background becomes magenta: only a shell in it can do that.
      await vm.command("sleep 3");
      await screen.type("echo $((6*7)); printf '\\033]11;#%02xff\\007' 65280\n");
      await screen.waitFor("the terminal's answer", (picture) => share(picture, MAGENTA) > 0.1, WAIT_MS);
      await screen.keep(`${PICTURES}/terminal.png`);
    },
    TIMEOUT_MS,
  );

  it(
    "installs a package through the NAT with apt",
    async () => {
      await vm.command(`echo deb http://10.0.2.2:${mirror.port}/debian bookworm main > /etc/apt/sources.list`);
      await vm.client.request("sendText", {
        port: 0,
        text: "apt-get update && apt-get install -y hello && hello -g d''one\n",
      });
      await vm.expect(/\ndone\r\n/, WAIT_MS);
      expect(mirror.requests).toContainEqual(expect.stringMatching(/pool\/main\/h\/hello\/hello_.*_amd64\.deb/));
    },
    TIMEOUT_MS,
  );
});
