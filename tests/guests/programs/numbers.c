// Prints what depends on the processor's arithmetic: integers of all widths, floats, long doubles (x87), conversions and rounding modes.
#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static void integers(void) {
  uint64_t sum = 0;
  for (int i = 0; i < 200000; i++) {
    uint64_t a = next(), b = next() >> (next() & 63);
    int64_t c = (int64_t)a >> (b & 63);
    unsigned __int128 wide = (unsigned __int128)a * (b | 1);
    sum += (uint64_t)(wide >> 64) ^ (uint64_t)wide;
    sum += a / (b | 1) + a % (b | 1);
    sum ^= (uint64_t)(c / (int64_t)(b | 1));
    sum += (uint32_t)a / ((uint32_t)b | 1) + (uint16_t)a / ((uint16_t)b | 1u) + (uint8_t)a / ((uint8_t)b | 1u);
    sum = (sum << 7) | (sum >> 57);
    sum += __builtin_popcountll(a) + __builtin_clzll(a | 1) + __builtin_ctzll(b | (1ull << 63)) + __builtin_bswap64(b);
  }
  printf("integers %016llx\n", (unsigned long long)sum);
}

static void floats(void) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  static const char *const names[] = {"nearest", "up", "down", "zero"};
  for (int m = 0; m < 4; m++) {
    fesetround(modes[m]);
    volatile double d = 0.1;
    volatile float f = 0.1f;
    volatile long double l = 0.1L;
    for (int i = 1; i < 2000; i++) {
      d = d * 1.0000123 + 1.0 / i - sqrt(d);
      f = f * 1.0123f + 1.0f / i - sqrtf(f);
      l = l * 1.0000123L + 1.0L / i - sqrtl(l);
      d = fabs(d) + DBL_MIN / 3;
      f = fabsf(f) + FLT_MIN / 3;
      l = fabsl(l) + LDBL_MIN / 3;
    }
    printf("%s %a %a %La %lld %ld %d\n", names[m], d, f, l, llrintl(l * 1e15L), lrint(d * 1e9), (int)(f * 1e6f));
    printf("%s %.17g %.9g %.21Lg\n", names[m], d, f, l);
  }
  fesetround(FE_TONEAREST);
}

static void exceptions(void) {
  static const double values[] = {0.0, -0.0, 1.0, -1.0, 1e308, 5e-324, INFINITY, -INFINITY, NAN};
  enum { COUNT = sizeof values / sizeof *values };
  for (int i = 0; i < COUNT; i++) {
    for (int j = 0; j < COUNT; j++) {
      volatile double a = values[i], b = values[j];
      feclearexcept(FE_ALL_EXCEPT);
      volatile double q = a / b, s = a - b, p = a * b;
      int flags = fetestexcept(FE_ALL_EXCEPT);
      printf("%g %g: %g %g %g %x %d%d%d\n", a, b, fabs(q), s, fabs(p), flags, a < b, a == b, isunordered(a, b));
    }
  }
}

static void functions(void) {
  for (int i = 0; i < 40; i++) {
    double x = (double)(int64_t)next() / 1e17;
    long double l = (long double)x;
    printf("%.17g %.17g %.17g %.17g %.17g %.20Lg %.20Lg %.20Lg\n", sin(x), exp(x / 20), log(fabs(x)), atan2(x, 3), pow(fabs(x), 0.3),
           sinl(l), expl(l / 20), logl(fabsl(l)));
  }
}

static void text(void) {
  for (int i = 0; i < 2000; i++) {
    union { uint64_t bits; double value; } u = {next()};
    char buffer[64];
    if (!isfinite(u.value)) continue;
    snprintf(buffer, sizeof buffer, "%.17g", u.value);
    if (strtod(buffer, NULL) != u.value) printf("strtod differs: %s\n", buffer);
  }
  printf("%a %La %d %lld\n", DBL_EPSILON, LDBL_EPSILON, INT_MIN, LLONG_MIN);
}

int main(void) {
  integers();
  floats();
  exceptions();
  functions();
  text();
  return 0;
}
