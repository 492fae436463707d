// Transposes lanes and vectors, and interleaves and separates vectors.

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

// Lane `l` of part `kPart` of three interleaved vectors a, b and c: where it
// is in a and b together.
template <int kPart>
constexpr int in_two(int l) {
  const int i = kPart * kLanes + l;
  return i / 3 + (i % 3 == 1 ? kLanes : 0);
}

// Where it is in this result and c together.
template <int kPart>
constexpr int in_three(int l) {
  const int i = kPart * kLanes + l;
  return i % 3 == 2 ? kLanes + i / 3 : l;
}

// Part `kPart` of a[0], b[0], c[0], a[1], b[1], c[1], and so on.
template <int kPart, class Lanewise>
ISSP_INLINE Lanewise interleave(Lanewise a, Lanewise b, Lanewise c) {
  const Lanewise two = ISSP_SHUFFLE(a, b, in_two<kPart>);
  return ISSP_SHUFFLE(two, c, in_three<kPart>);
}

// Where number 3 l + kFirst of a, b and c is in a and b together.
template <int kFirst>
constexpr int from_two(int l) {
  const int i = 3 * l + kFirst;
  return i < 2 * kLanes ? i : 0;
}

// Where it is in this result and c together.
template <int kFirst>
constexpr int from_three(int l) {
  const int i = 3 * l + kFirst;
  return i < 2 * kLanes ? l : i - kLanes;
}

// Undoes `interleave`: every third number of a, b and c, from `kFirst` on.
template <int kFirst, class Lanewise>
ISSP_INLINE Lanewise separate(Lanewise a, Lanewise b, Lanewise c) {
  const Lanewise two = ISSP_SHUFFLE(a, b, from_two<kFirst>);
  return ISSP_SHUFFLE(two, c, from_three<kFirst>);
}

}  // namespace
