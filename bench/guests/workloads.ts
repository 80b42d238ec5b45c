// The workloads of the guest suite: the same shell script in every guest and on the host itself.
// Each prints `MARK begin NAME` and `MARK end NAME`; whoever runs it takes the times from when these lines arrive.

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly script: string;
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: "ash",
    title: "ash: 300,000 increments",
    script: "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done",
  },
  {
    name: "md5",
    title: "dd 64 MB of zeros into md5sum",
    script: "dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum",
  },
  {
    name: "sha256",
    title: "dd 32 MB into sha256sum",
    script: "dd if=/dev/zero bs=1M count=32 2>/dev/null | sha256sum",
  },
  { name: "gzip", title: "gzip 16 MB of text", script: "gzip -c $T/text >/dev/null" },
  { name: "fork", title: "200 x fork + exec", script: "i=0; while [ $i -lt 200 ]; do $B true; i=$((i+1)); done" },
  {
    name: "awk",
    title: "awk, 300,000 float steps",
    script: "$B awk 'BEGIN{x=0.5;for(i=0;i<300000;i++)x=x*1.0000001+0.1/(i+1);print x}'",
  },
  { name: "sort", title: "sort 50,000 lines", script: "sort $T/lines >/dev/null" },
];

/** The body that runs all workloads; expects $B (busybox) and $T (a folder in memory). */
export function workloadScript(): string {
  const prepare = [
    // 256 KiB of text with some variety (more than gzip's window), repeated: cheap to make on the slowest peer.
    `$B awk 'BEGIN{for(i=0;i<5000;i++)printf "line %d of the text says %x and then some words about %d\\n",i,i*7919,i%977}' | head -c 262144 >$T/block`,
    "i=0; while [ $i -lt 64 ]; do cat $T/block; i=$((i+1)); done >$T/text",
    // Digits reversed: a fixed order that is far from sorted.
    "seq 50000 | rev >$T/lines",
  ];
  const runs = WORKLOADS.map(({ name, script }) => `echo "MARK begin ${name}"\n${script}\necho "MARK end ${name}"`);
  return [...prepare, ...runs, 'echo "MARK done"'].join("\n");
}

/** PID 1 of the benchmark guest: runs the workloads, then `after`. */
export function benchInit(after: string): string {
  return `#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mkdir -p /tmp
$B mount -t tmpfs tmpfs /tmp
$B --install -s /bin
export PATH=/bin
T=/tmp
echo "MARK init"
${workloadScript()}
${after}
`;
}
