// Vectors whose lanes have four channels of one byte each.
//
// `ISSP_DOT(sum, x, w)` adds the products of the channels of x and of the block
// w to the lanes of a sum. `ISSP_WEIGHT` makes w. If `ISSP_SIGNED` is defined,
// bytes of x are signed. `ISSP_GROUP` is the number of filters that may be
// computed at once. Their sums and weights must fit into the registers.

namespace {

typedef float Floats __attribute__((vector_size(kBytes), may_alias));

typedef unsigned Unsigned __attribute__((vector_size(kBytes), may_alias));

// Adds to sums. Biases of a hostile file may make them overflow. They wrap, as
// those of vector instructions do.
ISSP_INLINE Vector wrapped(Vector a, Vector b) {
  return Vector(Unsigned(a) + Unsigned(b));
}

#ifdef ISSP_SIGNED
constexpr int kOffset = 0;
#else
constexpr int kOffset = 128;
#endif

// The stored channel that begins at bit `bits` of each lane.
ISSP_INLINE Vector channel_of(Vector lanes, int bits) {
#ifdef ISSP_SIGNED
  return (lanes << (24 - bits)) >> 24;
#else
  return (lanes >> bits) & spread(255);
#endif
}

// Lanes with these numbers in the channel that begins at bit `bits`, and 0 in
// the others.
ISSP_INLINE Vector as_channel(Vector numbers, int bits) {
#ifdef ISSP_SIGNED
  numbers &= spread(255);
#endif
  return numbers << bits;
}

ISSP_INLINE Floats spread_float(float x) {
#define ISSP_SAME(lane) x
  return Floats{ISSP_LIST(ISSP_SAME)};
#undef ISSP_SAME
}

ISSP_INLINE Floats to_floats(Vector x) {
  return __builtin_convertvector(x, Floats);
}

ISSP_INLINE Vector between(Vector x, Vector low, Vector high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// The bounds and the zero point of a result, in all lanes.
struct Range {
  explicit ISSP_INLINE Range(const Int8Range& of)
      : low(spread_float(of.low)),
        high(spread_float(of.high)),
        least(spread(int(of.low))),
        most(spread(int(of.high))),
        zero(spread(of.zero)) {}

  // Rounds half to even. Adding 1.5 * 2^23 to a small number leaves no bits for
  // a fraction. NaN becomes `low`, so that it does not spill into other
  // channels.
  ISSP_INLINE Vector round(Floats x) const {
    x = x > low ? x : low;
    x = x < high ? x : high;
    x += spread_float(12582912.f);
    return Vector(x) + (zero - spread(0x4b400000));
  }

  ISSP_INLINE Vector clamp(Vector x) const {
    return between(x, least, most) + zero;
  }

  Floats low;
  Floats high;
  Vector least;
  Vector most;
  Vector zero;
};

// The constants of an `Int8Addition`, in all lanes.
struct Addition {
  explicit ISSP_INLINE Addition(const Int8Addition& of)
      : a(spread(of.a)), b(spread(of.b)), shift(of.shift) {}

  ISSP_INLINE Vector of(Vector x, Vector other, Vector bias,
                        const Range& range) const {
    return range.clamp((x * a + other * b + bias) >> shift);
  }

  Vector a;
  Vector b;
  int shift;
};

#ifdef ISSP_MADD

typedef short Shorts __attribute__((vector_size(kBytes), may_alias));
typedef unsigned short Halves __attribute__((vector_size(kBytes), may_alias));

// The weights of the even and the odd channels of a block, in 16 bits. Sums of
// their products with unsigned bytes are exact. Sums of products of bytes would
// saturate at 16 bits.
struct Pairs {
  Pairs() = default;

  explicit ISSP_INLINE Pairs(int w)
      : even((Shorts(spread(w)) << 8) >> 8), odd(Shorts(spread(w)) >> 8) {}

  // `ISSP_MADD` adds pairs of products.
  ISSP_INLINE Vector dot(Vector sum, Vector x) const {
    const Vector of_even = x & spread(0x00ff00ff);
    const Vector of_odd = Vector(Halves(x) >> 8);
    return wrapped(wrapped(sum, Vector(ISSP_MADD(of_even, even))),
                   Vector(ISSP_MADD(of_odd, odd)));
  }

  Shorts even;
  Shorts odd;
};
#define ISSP_WEIGHT(w) Pairs(w)
#define ISSP_DOT(sum, x, w) (w).dot(sum, x)

#endif

#ifdef ISSP_PORTABLE_DOT
ISSP_INLINE Vector dot(Vector sum, Vector x, int w) {
  ISSP_UNROLL
  for (int i = 0; i < kBlock; ++i) {
    sum = wrapped(sum, channel_of(x, 8 * i) * spread(int(int8_t(w >> 8 * i))));
  }
  return sum;
}
#define ISSP_DOT(sum, x, w) dot(sum, x, w)
#define ISSP_WEIGHT(w) (w)
#endif

}  // namespace
