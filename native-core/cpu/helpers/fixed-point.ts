// Elementary functions on binary fixed-point numbers: a bigint counts units of 2^-bits. Results are good to a few units; callers choose
// `bits` so that this is far below what they round to.

const multiply = (a: bigint, b: bigint, bits: number): bigint => (a * b) >> BigInt(bits);
const one = (bits: number): bigint => 1n << BigInt(bits);

/** Sum of z^(2k+1) / (2k+1), with alternating signs for the arc tangent. |z| well below 1. */
function oddSeries(z: bigint, bits: number, alternating: boolean): bigint {
  const square = multiply(z, z, bits);
  let power = z;
  let sum = z;
  for (let n = 3n; power !== 0n && power !== -1n; n += 2n) {
    power = multiply(power, alternating ? -square : square, bits);
    sum += power / n;
  }
  return sum;
}

/** 1/n as a fixed-point number summed as a series: cheap, because the divisor is small. */
function inverseSeries(n: bigint, bits: number, alternating: boolean): bigint {
  let power = one(bits) / n;
  let sum = power;
  const square = n * n;
  for (let k = 3n; power !== 0n; k += 2n) {
    power = power / (alternating ? -square : square);
    sum += power / k;
  }
  return sum;
}

const constants = new Map<string, bigint>();

function constant(name: string, bits: number, compute: (bits: number) => bigint): bigint {
  const key = `${name} ${bits}`;
  let value = constants.get(key);
  if (value === undefined) {
    value = compute(bits + 32) >> 32n;
    constants.set(key, value);
  }
  return value;
}

/** ln 2 = 2 artanh(1/3). */
export function ln2(bits: number): bigint {
  return constant("ln2", bits, (wide) => 2n * inverseSeries(3n, wide, false));
}

/** Machin: pi = 16 arctan(1/5) - 4 arctan(1/239). */
export function pi(bits: number): bigint {
  return constant("pi", bits, (wide) => 16n * inverseSeries(5n, wide, true) - 4n * inverseSeries(239n, wide, true));
}

/** e^x - 1 for |x| < 1. */
export function expm1(x: bigint, bits: number): bigint {
  const halvings = 8;
  const wide = bits + 32;
  const z = (x << 32n) >> BigInt(halvings);
  let term = z;
  let sum = z;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    term = multiply(term, z, wide) / n;
    sum += term;
  }
  for (let n = 0; n < halvings; n++) sum = 2n * sum + multiply(sum, sum, wide);
  return sum >> 32n;
}

/** 2 artanh(n / d) = ln((d + n) / (d - n)), for |n / d| below about 0.2. */
export function logOfRatio(n: bigint, d: bigint, bits: number): bigint {
  return 2n * oddSeries((n << BigInt(bits)) / d, bits, false);
}

/** arctan(x) for 0 <= x <= 1. */
export function arctan(x: bigint, bits: number): bigint {
  const halvings = 4;
  const wide = bits + 32;
  let z = x << 32n;
  for (let n = 0; n < halvings; n++) {
    // arctan z = 2 arctan(z / (1 + sqrt(1 + z^2)))
    const root = squareRoot((one(wide) + multiply(z, z, wide)) << BigInt(wide));
    z = (z << BigInt(wide)) / (one(wide) + root);
  }
  return (oddSeries(z, wide, true) << BigInt(halvings)) >> 32n;
}

/** [sin x, cos x] for |x| up to about 1. */
export function sineAndCosine(x: bigint, bits: number): readonly [bigint, bigint] {
  const square = multiply(x, x, bits);
  const series = (first: bigint, start: bigint): bigint => {
    let term = first;
    let sum = first;
    for (let n = start; term !== 0n && term !== -1n; n += 2n) {
      term = multiply(term, -square, bits) / (n * (n + 1n));
      sum += term;
    }
    return sum;
  };
  return [series(x, 2n), series(one(bits), 1n)];
}

function squareRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  let x = 1n << BigInt(value.toString(16).length * 2 + 1);
  for (;;) {
    const next = (x + value / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
