// Transposes lanes and vectors.

namespace {

// Interleave the lanes of the first or second halves of two vectors.
constexpr int zip_first(int l) { return l / 2 + l % 2 * kLanes; }
constexpr int zip_second(int l) { return kLanes / 2 + zip_first(l); }

constexpr int log2_of(int n) { return n < 2 ? 0 : 1 + log2_of(n / 2); }

// Lane l of vector t becomes lane t of vector l.
ISSP_INLINE void transpose(Vector (&x)[kLanes]) {
  ISSP_UNROLL
  for (int step = 0; step < log2_of(kLanes); ++step) {
    Vector y[kLanes];
    ISSP_UNROLL
    for (int i = 0; i < kLanes / 2; ++i) {
      const Vector a = x[i], b = x[i + kLanes / 2];
      y[2 * i] = ISSP_SHUFFLE(a, b, zip_first);
      y[2 * i + 1] = ISSP_SHUFFLE(a, b, zip_second);
    }
    ISSP_UNROLL
    for (int i = 0; i < kLanes; ++i) x[i] = y[i];
  }
}

}  // namespace
