// Exponential functions.

namespace {

// No product of a query and a key is below this.
#ifdef ISSP_HALF
constexpr float kLeastProduct = -65504.0f;
#else
constexpr float kLeastProduct = -3e38f;
#endif

// 2^x for x <= 0, with a relative error of about 1e-7. Results below the least
// normal number become that number.
#ifdef ISSP_HALF
ISSP_INLINE Vector power_of_two(Vector x) {
  for (int l = 0; l < kLanes; ++l) {
    x[l] = Scalar(__builtin_exp2f(float(x[l])));
  }
  return x;
}
#else
// A polynomial approximates 2^x for the distance to the nearest whole number.
ISSP_INLINE Vector power_of_two(Vector x) {
  typedef ISSP_LANE Bits __attribute__((vector_size(kBytes), may_alias));
  const Vector round = all(12582912.0f);
  const Vector least = unknown(all(-126.0f));
  x = least < x ? x : least;
  const Vector n = x + round;
  const Vector rest = x - (n - round);
  Vector sum = all(1.327646373e-3f);
  sum = sum * rest + all(9.675541269e-3f);
  sum = sum * rest + all(5.550713299e-2f);
  sum = sum * rest + all(2.402211973e-1f);
  sum = sum * rest + all(6.931469670e-1f);
  sum = sum * rest + all(1.000000072f);
  return (Vector)((Bits)sum + ((Bits)n << 23));
}
#endif

// exp(x) for x <= 0, with a relative error of about 1e-7. Results below the
// least normal number become that number.
#ifdef ISSP_HALF
ISSP_INLINE Vector exponential(Vector x) {
  for (int l = 0; l < kLanes; ++l) {
    x[l] = Scalar(__builtin_expf(float(x[l])));
  }
  return x;
}
#else
// exp(x) = 2^n * exp(rest) with |rest| <= ln(2) / 2. A polynomial approximates
// exp(rest).
ISSP_INLINE Vector exponential(Vector x) {
  typedef ISSP_LANE Bits __attribute__((vector_size(kBytes), may_alias));
  // After adding this, the last bits hold the whole part.
  const Vector round = all(12582912.0f);
  x = clamp(x, -87.0f, 0.0f);
  const Vector n = x * all(1.44269504f) + round;
  const Vector whole = n - round;
  const Vector rest =
      x - whole * all(0.693359375f) + whole * all(2.12194440e-4f);
  Vector sum = all(1.9875691500e-4f);
  sum = sum * rest + all(1.3981999507e-3f);
  sum = sum * rest + all(8.3334519073e-3f);
  sum = sum * rest + all(4.1665795894e-2f);
  sum = sum * rest + all(1.6666665459e-1f);
  sum = sum * rest + all(5.0000001201e-1f);
  sum = sum * rest * rest + rest + all(1.0f);
  return (Vector)((Bits)sum + ((Bits)n << 23));
}
#endif

}  // namespace
