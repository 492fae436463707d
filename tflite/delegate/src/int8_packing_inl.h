// How sums become the four channels of a lane.
//
// `ISSP_X86` makes the name of an instruction of x86 for vectors of this width.
// `ISSP_NEON` is defined if there are the instructions of NEON.

namespace {

#if defined(ISSP_X86) || defined(ISSP_NEON)

#ifdef ISSP_X86

typedef long long Integers __attribute__((vector_size(kBytes), may_alias));

// Rounds half to even. Numbers beyond the integers become the least integer,
// and so does NaN.
ISSP_INLINE Vector to_integers(Floats x, const Range& range) {
  return Vector(ISSP_X86(cvtps_epi32)(range.high < x ? range.high : x));
}

// The same for numbers below 2^31.
ISSP_INLINE Vector to_integers(Floats x) {
  return Vector(ISSP_X86(cvtps_epi32)(x));
}

// Bounds what `to_integers` leaves unbounded.
ISSP_INLINE Vector bounded(Vector x, const Range& range) {
  return x > range.least ? x : range.least;
}

// Two channels, of 16 bits. Adds `zeros`.
ISSP_INLINE Vector pair_of(Vector a, Vector b, Vector zeros) {
  const Integers both = ISSP_X86(packs_epi32)(Integers(a), Integers(b));
  return Vector(ISSP_X86(adds_epi16)(both, Integers(zeros)));
}

ISSP_INLINE Vector pair_of(Vector a, Vector b) {
  return Vector(ISSP_X86(packs_epi32)(Integers(a), Integers(b)));
}

// Four channels, of 8 bits. Four lanes of a channel are side by side.
ISSP_INLINE Vector four_of(Vector ab, Vector cd) {
  return Vector(ISSP_X86(packus_epi16)(Integers(ab), Integers(cd)));
}

// The same within bounds.
ISSP_INLINE Vector four_of(Vector ab, Vector cd, Vector least, Vector most) {
  Integers all = Integers(four_of(ab, cd));
  all = ISSP_X86(max_epu8)(all, Integers(least));
  return Vector(ISSP_X86(min_epu8)(all, Integers(most)));
}

ISSP_INLINE Vector move_bytes(Vector bytes, Vector places) {
  return Vector(ISSP_X86(shuffle_epi8)(Integers(bytes), Integers(places)));
}

#else  // NEON

// Numbers beyond the integers become the nearest integer. NaN becomes `low`.
ISSP_INLINE Vector to_integers(Floats x, const Range& range) {
  return Vector(
      vcvtnq_s32_f32(vmaxnmq_f32(float32x4_t(x), float32x4_t(range.low))));
}

ISSP_INLINE Vector bounded(Vector x, const Range& range) {
  return x < range.most ? x : range.most;
}

ISSP_INLINE Vector pair_of(Vector a, Vector b, Vector zeros) {
  const int16x8_t both =
      vqmovn_high_s32(vqmovn_s32(int32x4_t(a)), int32x4_t(b));
  return Vector(vqaddq_s16(both, int16x8_t(zeros)));
}

ISSP_INLINE Vector four_of(Vector ab, Vector cd, Vector least, Vector most) {
#ifdef ISSP_SIGNED
  int8x16_t all = vqmovn_high_s16(vqmovn_s16(int16x8_t(ab)), int16x8_t(cd));
  all = vmaxq_s8(all, int8x16_t(least));
  return Vector(vminq_s8(all, int8x16_t(most)));
#else
  uint8x16_t all = vqmovun_high_s16(vqmovun_s16(int16x8_t(ab)), int16x8_t(cd));
  all = vmaxq_u8(all, uint8x16_t(least));
  return Vector(vminq_u8(all, uint8x16_t(most)));
#endif
}

ISSP_INLINE Vector move_bytes(Vector bytes, Vector places) {
  return Vector(vqtbl1q_s8(int8x16_t(bytes), uint8x16_t(places)));
}

#endif

// Uses instructions that saturate, so most numbers need no bounds before. The
// zero point is added last.
struct Packing {
  explicit ISSP_INLINE Packing(const Int8Range& of)
      : range(of),
        zeros(spread(int(unsigned(of.zero & 65535) * 0x00010001u))),
        least(four_times(int(of.low) + of.zero)),
        most(four_times(int(of.high) + of.zero)) {}

  ISSP_INLINE Vector round(Floats x) const { return to_integers(x, range); }

  // The operand of an addition, of what `round` makes.
  ISSP_INLINE Vector operand(Vector x) const { return bounded(x, range); }

  // The bias of an addition of operands.
  static ISSP_INLINE Vector bias(const Int8Addition& of, int zero) {
    return spread(int(unsigned(of.bias) + unsigned(zero) * unsigned(of.a)));
  }

  // Ends an addition.
  ISSP_INLINE Vector added(Vector x) const { return x; }

  ISSP_INLINE Vector pack(Vector a, Vector b, Vector c, Vector d) const {
    return side_by_side(
        four_of(pair_of(a, b, zeros), pair_of(c, d, zeros), least, most));
  }

#ifdef ISSP_ENDS
  // The same as `operand`, of integers without any bound.
  ISSP_INLINE Vector operand_of_any(Vector x) const {
    return between(x, range.least, range.most);
  }

  // Packs stored numbers. They may be beyond the bytes.
  static ISSP_INLINE Vector saturated(Vector a, Vector b, Vector c, Vector d) {
    return side_by_side(four_of(pair_of(a, b), pair_of(c, d)));
  }
#endif

 private:
  // The four channels of a lane, side by side.
  static ISSP_INLINE Vector side_by_side(Vector all) {
#define ISSP_PLACES(lane) 0x0c080400 + 0x01010101 * (lane % 4)
    return move_bytes(all, Vector{ISSP_LIST(ISSP_PLACES)});
#undef ISSP_PLACES
  }

  static ISSP_INLINE Vector four_times(int byte) {
    return spread(int(unsigned(byte & 255) * 0x01010101u));
  }

  Range range;
  Vector zeros;
  Vector least;
  Vector most;
};

// The four channels of an output of a tile.
template <int kRows, int kVectors>
class Channels {
 public:
  ISSP_INLINE void set(int i, const Vector (&numbers)[kRows][kVectors]) {
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) of_[i][r][v] = numbers[r][v];
    }
  }

  template <Int8End kEnd>
  ISSP_INLINE Vector packed(const Packing& packing, int r, int v) const {
#ifdef ISSP_ENDS
    if constexpr (kEnd != kBoundedEnd) {
      return Packing::saturated(of_[0][r][v], of_[1][r][v], of_[2][r][v],
                                of_[3][r][v]);
    }
#endif
    return packing.pack(of_[0][r][v], of_[1][r][v], of_[2][r][v], of_[3][r][v]);
  }

 private:
  Vector of_[kBlock][kRows][kVectors];
};

#else

// Uses stored numbers within their bounds.
struct Packing {
  explicit ISSP_INLINE Packing(const Int8Range& of) : range(of) {}

  ISSP_INLINE Vector round(Floats x) const { return range.round(x); }

  ISSP_INLINE Vector operand(Vector x) const { return x; }

  static ISSP_INLINE Vector bias(const Int8Addition& of, int) {
    return spread(of.bias);
  }

  ISSP_INLINE Vector added(Vector x) const { return range.clamp(x); }

 private:
  Range range;
};

template <int kRows, int kVectors>
class Channels {
 public:
  ISSP_INLINE void set(int i, const Vector (&numbers)[kRows][kVectors]) {
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        made_[r][v] |= as_channel(numbers[r][v], 8 * i);
      }
    }
  }

  template <Int8End>
  ISSP_INLINE Vector packed(const Packing&, int r, int v) const {
    return made_[r][v];
  }

 private:
  Vector made_[kRows][kVectors] = {};
};

#endif

}  // namespace
