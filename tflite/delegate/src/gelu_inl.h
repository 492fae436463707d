// The function GELU.

namespace {

// Coefficients of the error function up to `kErfEnd`, with an error of 2e-7. It
// is x times a polynomial of 2 (x / 3.9)^2 - 1. This argument is between -1 and
// 1, so that little cancels.
constexpr float kErfEnd = 3.9f;
constexpr float kErf[] = {
    -7.04735229e-04f,
    1.87435357e-03f,
    -1.53945503e-03f,
    2.05677750e-03f,
    -7.02507937e-03f,
    1.33955721e-02f,
    -1.96032705e-02f,
    2.92463369e-02f,
    -4.27626902e-02f,
    5.78719435e-02f,
    -7.38058427e-02f,
    9.06748471e-02f,
    -1.09532226e-01f,
    1.34690823e-01f,
    -1.81011086e-01f,
    3.62583975e-01f,
};

// x / 2 (1 + erf(x / sqrt(2)))
ISSP_INLINE Wide gelu_of(Wide x) {
  const Wide end = Wide{} + kErfEnd;
  Wide z = x * 0.70710678f;
  z = z < -end ? -end : z;
  z = end < z ? end : z;
  const Wide t = z * z * (2 / (kErfEnd * kErfEnd)) - 1.0f;
  Wide sum = Wide{} + kErf[0];
  ISSP_UNROLL
  for (size_t i = 1; i < sizeof(kErf) / sizeof(kErf[0]); ++i) {
    sum = sum * t + kErf[i];
  }
  // Far below 0 the result is 0, and not a small fraction of x.
  const Wide low = Wide{} - kErfEnd * 1.41421356f;
  const Wide half = (x < low ? low : x) * 0.5f;
  return half * z * sum + half;
}

ISSP_INLINE Vector gelu(Vector x) {
  return __builtin_convertvector(gelu_of(widen(x)), Vector);
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). This equals x times the
// logistic function of twice the argument of tanh.
ISSP_INLINE Vector gelu_tanh(Vector x) {
  const Vector twice =
      x * (all(1.5957691216f) + all(0.0713548163f) * x * x);
  const Vector negative = twice < Vector{} ? twice : -twice;
  const Vector power = power_of_two(negative * all(1.44269504f));
  const Vector share = power / (all(1.0f) + power);
  return x * (twice < Vector{} ? share : all(1.0f) - share);
}

}  // namespace
