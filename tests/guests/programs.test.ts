// Shells, coreutils, compressors, perl, openssl, and a program that compares faults, signals and threads. The long checks are in
// languages.guest.ts (`npm run guests`).
import { compareWithNative } from "./compare.ts";

compareWithNative({
  "bash computes, splits and formats":
    "for ((i = 1; i <= 3000; i++)); do s=$(((s * 31 + i ** 3) % 1000003)); done; printf '%d %08x %s\\n' $s $s \"${BASH_VERSION}\"; " +
    "a=({a..z}{0..9}); echo ${#a[@]} ${a[*]:100:5} | tr a-z A-Z; printf '%.15f\\n' 3.14159265358979",
  "coreutils hash, sort and count":
    "seq 1 40000 | shuf --random-source=/usr/bin/bash > /tmp/n; sha1sum /tmp/n; sha224sum /tmp/n; sha512sum /tmp/n; b2sum /tmp/n; " +
    "cksum /tmp/n; sort -n /tmp/n | md5sum; sort -R --random-source=/usr/bin/bash /tmp/n | sha256sum; wc /tmp/n; factor 1000000016000000063",
  "awk and bc compute":
    "gawk 'BEGIN { for (i = 1; i < 40000; i++) s += sin(i) / i; printf \"%.17g %a\\n\", s, s }'; echo 'scale=200; 4*a(1); e(1); 3^400' | bc -l",
  "compressors round-trip":
    "head -c 1500000 /usr/bin/python3.11 > /tmp/f; f=/tmp/f; for c in 'gzip -9n' 'xz -1 -T1' 'zstd -q -3' bzip2; do $c -c $f | tee /tmp/c | sha256sum; " +
    "${c%% *} -dc /tmp/c | cmp - $f && echo same; done",
  "perl handles text, big numbers and digests": "perl /programs/checks.pl",
  "openssl computes what others compute":
    "head -c 300000 /usr/bin/openssl > /tmp/in; K=$(printf %064d 7); for d in md5 sha1 sha256 sha3-512 blake2s256 sm3 ripemd160; do openssl dgst -$d /tmp/in; done; " +
    "for c in aes-128-cbc aes-256-ctr aes-192-ofb chacha20 camellia-128-cbc aria-256-ctr; do openssl enc -$c -K ${K:0:64} -iv ${K:0:32} -in /tmp/in 2>/dev/null | sha256sum; done; " +
    "openssl prime 170141183460469231731687303715884105727; openssl prime -generate -bits 64 >/dev/null && echo prime",
  "openssl makes and checks signatures":
    "for a in 'RSA -pkeyopt rsa_keygen_bits:1024' ED25519 'EC -pkeyopt ec_paramgen_curve:P-256'; do openssl genpkey -algorithm $a -out /tmp/k 2>/dev/null; " +
    "openssl pkey -in /tmp/k -pubout -out /tmp/p; echo text > /tmp/t; openssl pkeyutl -sign -rawin -inkey /tmp/k -in /tmp/t -out /tmp/s; " +
    "openssl pkeyutl -verify -rawin -pubin -inkey /tmp/p -in /tmp/t -sigfile /tmp/s; done",
  "faults, signals, code made at run time, threads and processes":
    "gcc -O2 -pthread /programs/system.c -o /tmp/system && /tmp/system",
});
