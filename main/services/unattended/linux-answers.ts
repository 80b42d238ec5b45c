// Answers for Linux: a preseed file for Debian's installer, and documents for cloud-init, which Ubuntu's installer reads, too.
import type { UnattendedAnswers } from "../../contract/unattended.ts";
import { sha512Crypt } from "./sha512-crypt.ts";

const fullNameOf = ({ fullName, user }: UnattendedAnswers): string => fullName || user;

/**
 * Questions of Debian's installer with their answers (Debian Installation Guide, appendix B). The machine powers off at the end: it is
 * started with its own disk then.
 */
export function preseed(answers: UnattendedAnswers): string {
  const { user, password, hostName, locale, timeZone, keyboard, mirror } = answers;
  const lines: (readonly [owner: string, name: string, type: string, value: string])[] = [
    ["d-i", "debian-installer/locale", "string", `${locale}.UTF-8`],
    ["d-i", "keyboard-configuration/xkb-keymap", "select", keyboard],
    ["d-i", "netcfg/choose_interface", "select", "auto"],
    ["d-i", "netcfg/get_hostname", "string", hostName],
    ["d-i", "netcfg/hostname", "string", hostName],
    ["d-i", "netcfg/get_domain", "string", ""],
    ["d-i", "hw-detect/load_firmware", "boolean", "false"],
    ...mirrorLines(mirror),
    ["d-i", "mirror/http/proxy", "string", ""],
    ["d-i", "passwd/root-login", "boolean", "false"],
    ["d-i", "passwd/user-fullname", "string", fullNameOf(answers)],
    ["d-i", "passwd/username", "string", user],
    ["d-i", "passwd/user-password-crypted", "password", sha512Crypt(password)],
    ["d-i", "clock-setup/utc", "boolean", "true"],
    ["d-i", "clock-setup/ntp", "boolean", "false"],
    ["d-i", "time/zone", "string", timeZone],
    ["d-i", "partman-auto/method", "string", "regular"],
    ["d-i", "partman-auto/choose_recipe", "select", "atomic"],
    ["d-i", "partman-partitioning/confirm_write_new_label", "boolean", "true"],
    ["d-i", "partman/choose_partition", "select", "finish"],
    ["d-i", "partman/confirm", "boolean", "true"],
    ["d-i", "partman/confirm_nooverwrite", "boolean", "true"],
    ["d-i", "apt-setup/cdrom/set-first", "boolean", "false"],
    ["tasksel", "tasksel/first", "multiselect", "standard"],
    ["d-i", "pkgsel/include", "string", "openssh-server"],
    ["d-i", "pkgsel/upgrade", "select", "none"],
    ["popularity-contest", "popularity-contest/participate", "boolean", "false"],
    ["d-i", "grub-installer/only_debian", "boolean", "true"],
    ["d-i", "grub-installer/with_other_os", "boolean", "true"],
    ["d-i", "grub-installer/bootdev", "string", "default"],
    ["d-i", "finish-install/reboot_in_progress", "note", ""],
    ["d-i", "debian-installer/exit/poweroff", "boolean", "true"],
  ];
  return `${lines.map((line) => line.join(" ").trimEnd()).join("\n")}\n`;
}

function mirrorLines(mirror: string | undefined) {
  if (mirror === undefined) return [];
  const { host, pathname } = new URL(mirror);
  return [
    ["d-i", "mirror/country", "string", "manual"],
    ["d-i", "mirror/protocol", "string", "http"],
    ["d-i", "mirror/http/hostname", "string", host],
    ["d-i", "mirror/http/directory", "string", pathname.replace(/\/$/, "") || "/"],
  ] as const;
}

/** Files of a NoCloud seed for a system that is installed already. */
export function cloudInit(answers: UnattendedAnswers, instanceId: string): Map<string, string> {
  const { user, password, hostName, locale, timeZone, keyboard } = answers;
  const userData = {
    hostname: hostName,
    manage_etc_hosts: true,
    locale: `${locale}.UTF-8`,
    timezone: timeZone,
    keyboard: { layout: keyboard },
    ssh_pwauth: true,
    users: [
      {
        name: user,
        gecos: fullNameOf(answers),
        groups: "sudo",
        sudo: "ALL=(ALL) ALL",
        shell: "/bin/bash",
        lock_passwd: false,
        passwd: sha512Crypt(password),
      },
    ],
  };
  return noCloud(userData, instanceId, hostName);
}

/** The same for Ubuntu's installer, which powers off at the end. */
export function autoinstall(answers: UnattendedAnswers, instanceId: string): Map<string, string> {
  const { user, password, hostName, locale, timeZone, keyboard } = answers;
  const userData = {
    autoinstall: {
      version: 1,
      identity: {
        hostname: hostName,
        username: user,
        realname: fullNameOf(answers),
        password: sha512Crypt(password),
      },
      locale: `${locale}.UTF-8`,
      timezone: timeZone,
      keyboard: { layout: keyboard },
      ssh: { "install-server": true, "allow-pw": true },
      storage: { layout: { name: "direct" } },
      shutdown: "poweroff",
    },
  };
  return noCloud(userData, instanceId, hostName);
}

/** JSON is YAML, too, and nothing in it can be taken for anything but a value. */
function noCloud(userData: object, instanceId: string, hostName: string): Map<string, string> {
  return new Map([
    ["user-data", `#cloud-config\n${JSON.stringify(userData, null, 2)}\n`],
    ["meta-data", `${JSON.stringify({ "instance-id": instanceId, "local-hostname": hostName }, null, 2)}\n`],
  ]);
}
