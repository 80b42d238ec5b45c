// Debian's programs in a guest without any disk: the whole system that mmdebstrap made is the initial RAM disk. Minutes, so part of
// `npm run guests`.
import { compareWithNative } from "./compare.ts";

compareWithNative(
  {
    "bash computes":
      "for ((i = 1; i <= 3000; i++)); do s=$(((s * 31 + i ** 3) % 1000003)); done; printf '%d %08x %s\\n' $s $s \"${BASH_VERSION}\"",
    "perl handles text, big numbers and digests": "perl /programs/checks.pl",
    ...Object.fromEntries(
      ["math", "float", "struct", "decimal"].map((name) => [
        `python passes its own tests of ${name}`,
        `python3 -m test test_${name} 2>&1 | grep '^Tests result'`,
      ]),
    ),
    "openssl checks itself: digests, ciphers, signatures and primes":
      "head -c 100000 /usr/bin/openssl > /tmp/in; K=$(printf %064d 7); for d in md5 sha1 sha256 sha3-512; do openssl dgst -$d /tmp/in; done; " +
      "for c in aes-128-cbc aes-256-ctr chacha20; do openssl enc -$c -K ${K:0:64} -iv ${K:0:32} -in /tmp/in 2>/dev/null | openssl enc -d -$c -K ${K:0:64} -iv ${K:0:32} 2>/dev/null | cmp - /tmp/in && echo same; done; " +
      "openssl genpkey -algorithm ED25519 -out /tmp/k; openssl pkeyutl -sign -rawin -inkey /tmp/k -in /tmp/in -out /tmp/s && openssl pkey -in /tmp/k -pubout -out /tmp/p && " +
      "openssl pkeyutl -verify -rawin -pubin -inkey /tmp/p -in /tmp/in -sigfile /tmp/s; openssl prime 170141183460469231731687303715884105727",
    "gcc compiles a program that prints what it prints natively":
      "gcc -O2 -frounding-math /programs/numbers.c -lm -o /tmp/numbers && /tmp/numbers; gcc -O2 -pthread /programs/system.c -o /tmp/system && /tmp/system",
  },
  { from: "initramfs", vcpuCount: 2 },
);
