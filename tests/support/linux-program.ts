// Tiny static programs for Linux guests: a few instructions as an ELF file, for what no tool of busybox does.

const BASE = 0x40_0000;
const HEADERS = 64 + 56;

/** `code` runs at the returned file's start; where it lies, and data behind it, is told to `build`. */
function elfProgram(build: (origin: number) => readonly number[]): Uint8Array {
  const code = build(BASE + HEADERS);
  const file = new Uint8Array(HEADERS + code.length);
  const view = new DataView(file.buffer);
  // ELF64, little-endian, executable, x86-64.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(BASE + HEADERS), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  // One segment, everything allowed.
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  view.setBigUint64(80, BigInt(BASE), true);
  view.setBigUint64(88, BigInt(BASE), true);
  view.setBigUint64(96, BigInt(file.length), true);
  view.setBigUint64(104, BigInt(file.length), true);
  view.setBigUint64(112, 0x1000n, true);
  file.set(code, HEADERS);
  return file;
}

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];

// Linux system calls on x86-64; the number goes to EAX, arguments to EDI, ESI, EDX.
const CALL = { OPEN: 2, IOCTL: 16, DUP2: 33, EXECVE: 59, EXIT: 60 } as const;
const SYSCALL = [0x0f, 0x05];
const setEax = (value: number) => [0xb8, ...word(value)];
const setEdi = (value: number) => [0xbf, ...word(value)];
const setEsi = (value: number) => [0xbe, ...word(value)];
const setEdx = (value: number) => [0xba, ...word(value)];
const EBX_FROM_EAX = [0x89, 0xc3];
const EDI_FROM_EBX = [0x89, 0xdf];
const EDI_FROM_EAX = [0x89, 0xc7];
const NEGATE_EDI = [0xf7, 0xdf];
const O_RDWR = 2;
const O_WRONLY = 1;
const STDOUT = 1;

/**
 * Opens a device and makes ioctls, each with a pointer to a word. With `thenRun` the device becomes the standard output of that program;
 * else it exits with the result of the last one.
 */
export function ioctlProgram(
  device: string,
  ioctls: readonly (readonly [request: number, value: number])[],
  thenRun?: string,
): Uint8Array {
  const text = (value: string) => [...new TextEncoder().encode(value), 0];
  const code = (data: number): number[] => {
    const name = data + ioctls.length * 4 + 16;
    const program = name + text(device).length;
    return [
      ...[...setEdi(name), ...setEsi(thenRun === undefined ? O_RDWR : O_WRONLY), ...setEax(CALL.OPEN), ...SYSCALL],
      ...EBX_FROM_EAX,
      ...ioctls.flatMap(([request], index) => [
        ...[...EDI_FROM_EBX, ...setEsi(request), ...setEdx(data + index * 4), ...setEax(CALL.IOCTL), ...SYSCALL],
      ]),
      ...(thenRun === undefined
        ? [...EDI_FROM_EAX, ...NEGATE_EDI]
        : [
            ...[...EDI_FROM_EBX, ...setEsi(STDOUT), ...setEax(CALL.DUP2), ...SYSCALL],
            ...[...setEdi(program), ...setEsi(data + ioctls.length * 4), ...setEdx(0)],
            ...[...setEax(CALL.EXECVE), ...SYSCALL],
          ]),
      ...[...setEax(CALL.EXIT), ...SYSCALL],
    ];
  };
  const codeBytes = code(0).length;
  return elfProgram((origin) => {
    const data = origin + codeBytes;
    const program = data + ioctls.length * 4 + 16 + text(device).length;
    return [
      ...code(data),
      ...ioctls.flatMap(([, value]) => word(value)),
      // Arguments of the program: its name, and the end.
      ...[...word(program), ...word(0), ...word(0), ...word(0)],
      ...text(device),
      ...text(thenRun ?? ""),
    ];
  });
}

/** A shell command that makes such a file. */
export function writeProgram(path: string, program: Uint8Array): string {
  const bytes = Array.from(program, (byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 64) lines.push(`printf '${bytes.slice(at, at + 64).join("")}' >> ${path}`);
  return `${lines.join("\n")}\nchmod +x ${path}`;
}
