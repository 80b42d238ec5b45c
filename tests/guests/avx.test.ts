// Debian's programs on a processor with AVX2: glibc, openssl and what gcc makes for x86-64-v3 choose other code than without it, and have
// to print the same. The kernel saves and restores the state of all of them with XSAVE.
import { compareWithNative } from "./compare.ts";

compareWithNative(
  {
    "glibc takes the libraries of level 3":
      "/lib64/ld-linux-x86-64.so.2 --help | grep -o 'x86-64-v[23] (supported, searched)'",
    "coreutils and grep handle strings, with more processes than processors":
      "seq 1 30000 > /tmp/n; for n in 1 2 3 4; do (tac /tmp/n | sort -n | md5sum; grep -c 7.*3 /tmp/n; base64 /tmp/n | fold -w 61 | sha256sum; od -t f4 /tmp/n | cksum) > /tmp/$n & done; wait; cat /tmp/[1-4]",
    "openssl hashes and encrypts":
      "head -c 200000 /usr/bin/openssl > /tmp/in; K=$(printf %064d 7); for d in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst -$d /tmp/in; done; " +
      "for c in aes-128-cbc aes-256-ctr chacha20; do openssl enc -$c -K ${K:0:64} -iv ${K:0:32} -in /tmp/in 2>/dev/null | sha256sum; done; openssl prime 170141183460469231731687303715884105727",
    "perl and python compute":
      "perl /programs/checks.pl; python3 -c 'import math; print(sum(math.sin(i) * math.exp(-i / 99) for i in range(9000)).hex(), math.tan(1e10).hex(), math.pow(1.1, 77.3).hex())'",
    "gcc's code for x86-64-v3, with FMA and vectors, computes what it computes natively":
      "for o in -O1 -O3; do gcc $o -march=x86-64-v3 /programs/numbers.c -lm -o /tmp/numbers && /tmp/numbers; done",
  },
  { model: "x86-64-v3" },
);
