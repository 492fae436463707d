// Sums of products in int8. They take most of the time.
//
// `ISSP_ENDS` is defined if there is code for each `Int8End`. It is worth its
// size where products are fast.

namespace {

// The sums of filter f.
template <int kRows, int kVectors, bool kStrided>
ISSP_INLINE void add_products(const Int8Sums& tile, int f,
                              Vector (&sum)[kRows][kVectors]) {
  const size_t input_vector = kStrided ? tile.input_vector : kBytes;
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[r][v] = spread(tile.bias[f]);
  }
  const uint32_t end = tile.begins[f + 1];
  for (uint32_t k = tile.begins[f]; k < end; ++k) {
    const char* input = tile.input + tile.offsets[k];
    const auto weight = ISSP_WEIGHT(tile.weights[k]);
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] =
            ISSP_DOT(sum[r][v],
                     load(input + r * tile.input_row + v * input_vector),
                     weight);
      }
    }
  }
}

// The constants of the ends of sums, in all lanes.
struct Ends {
  explicit ISSP_INLINE Ends(const Int8Sums& tile)
      : sums(tile.range),
        made(tile.made),
        addition(tile.addition),
        bias(Packing::bias(tile.addition, tile.range.zero)),
        bias_of_stored(wrapped(bias, spread(int(unsigned(tile.made.zero)
                                                << tile.addition.shift)))) {}

  Packing sums;
  Packing made;
  Addition addition;
  Vector bias;
  Vector bias_of_stored;  // The zero point comes with it.
};

// Rounds the sums of filter f, and adds the other image.
template <Int8End kEnd, int kRows, int kVectors>
ISSP_INLINE void end_sums(const Int8Sums& tile, int f, const Ends& ends,
                          Vector (&sum)[kRows][kVectors]) {
  const Floats multiplier = spread_float(tile.multipliers[f]);
#ifdef ISSP_ENDS
  if constexpr (kEnd != kBoundedEnd) {
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = to_integers(to_floats(sum[r][v]) * multiplier);
      }
    }
    if constexpr (kEnd == kAddedEnd) {
      const char* add = tile.add + tile.add_offsets[f];
      // The places of the channel's bytes. 128 makes a zero.
#define ISSP_PLACE(lane) int(0x80808000u + 4 * (lane % 4))
      const Vector places =
          Vector{ISSP_LIST(ISSP_PLACE)} + spread(tile.add_bits[f] / 8);
#undef ISSP_PLACE
      ISSP_UNROLL
      for (int r = 0; r < kRows; ++r) {
        ISSP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const Vector other = move_bytes(
              load(add + r * tile.add_row + v * tile.add_vector), places);
          const Vector x = ends.sums.operand_of_any(sum[r][v]);
          sum[r][v] = (x * ends.addition.a +
                       (other * ends.addition.b + ends.bias_of_stored)) >>
                      ends.addition.shift;
        }
      }
    }
    return;
  }
#endif
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = ends.sums.round(to_floats(sum[r][v]) * multiplier);
    }
  }
  if (!tile.add) return;
  const char* add = tile.add + tile.add_offsets[f];
  const int bits = tile.add_bits[f];
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vector other =
          channel_of(load(add + r * tile.add_row + v * tile.add_vector), bits);
      const Vector x = ends.sums.operand(sum[r][v]);
      sum[r][v] = ends.made.added(
          (x * ends.addition.a + other * ends.addition.b + ends.bias) >>
          ends.addition.shift);
    }
  }
}

// Stores output o of a tile.
template <Int8End kEnd, int kRows, int kVectors>
ISSP_INLINE void store_channels(const Int8Sums& tile, int o,
                                const Packing& packing,
                                const Channels<kRows, kVectors>& channels) {
  Vector made[kRows][kVectors];
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      made[r][v] = channels.template packed<kEnd>(packing, r, v);
    }
  }
  store_tile(tile, o, made);
}

template <Int8End kEnd, int kRows, int kVectors, bool kStrided>
void sums(const Int8Sums& tile) {
  const Ends ends(tile);
  for (int o = 0; o < tile.outputs; ++o) {
    Channels<kRows, kVectors> channels;
    for (int i = 0; i < kBlock; ++i) {
      Vector sum[kRows][kVectors];
      add_products<kRows, kVectors, kStrided>(tile, kBlock * o + i, sum);
      end_sums<kEnd>(tile, kBlock * o + i, ends, sum);
      channels.set(i, sum);
    }
    store_channels<kEnd>(tile, o, ends.made, channels);
  }
}

using Weight = decltype(ISSP_WEIGHT(0));

// Adds the blocks of set `kSet` of a group, and then those of all smaller sets.
// Each vector of the input is loaded once for all filters of a set.
template <int kSet, int kGroup, int kRows, int kVectors>
ISSP_INLINE void add_products(const Int8Sums& tile, const uint32_t*& begins,
                              const int32_t*& weights,
                              Vector (&sum)[kGroup][kRows][kVectors]) {
  const uint32_t end = begins[1];
  for (uint32_t k = begins[0]; k < end; ++k) {
    const char* input = tile.input + tile.offsets[k];
    Weight weight[kGroup];
    ISSP_UNROLL
    for (int i = 0; i < kGroup; ++i) {
      if (kSet >> i & 1) weight[i] = ISSP_WEIGHT(*weights++);
    }
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vector x = load(input + r * tile.input_row + v * kBytes);
        ISSP_UNROLL
        for (int i = 0; i < kGroup; ++i) {
          if (kSet >> i & 1) {
            sum[i][r][v] = ISSP_DOT(sum[i][r][v], x, weight[i]);
          }
        }
      }
    }
  }
  ++begins;
  if constexpr (kSet > 1) {
    add_products<kSet - 1>(tile, begins, weights, sum);
  }
}

// The sums of groups of filters.
template <Int8End kEnd, int kGroup, int kRows, int kVectors>
void group_sums(const Int8Sums& tile) {
  const Ends ends(tile);
  const uint32_t* begins = tile.begins;
  const int32_t* weights = tile.weights;
  for (int o = 0; o < tile.outputs; ++o) {
    Channels<kRows, kVectors> channels;
    for (int first = 0; first < kBlock; first += kGroup) {
      Vector sum[kGroup][kRows][kVectors];
      ISSP_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        ISSP_UNROLL
        for (int r = 0; r < kRows; ++r) {
          ISSP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            sum[i][r][v] = spread(tile.bias[kBlock * o + first + i]);
          }
        }
      }
      add_products<(1 << kGroup) - 1>(tile, begins, weights, sum);
      ISSP_UNROLL
      for (int i = 0; i < kGroup; ++i) {
        end_sums<kEnd>(tile, kBlock * o + first + i, ends, sum[i]);
        channels.set(first + i, sum[i]);
      }
    }
    store_channels<kEnd>(tile, o, ends.made, channels);
  }
}

template <int kFilters, Int8End kEnd>
struct InBlocks {
  using Function = Int8SumsFunction;
  static constexpr int kOutputs = kFilters;
  template <int kRows, int kVectors, bool kStrided>
  static void of(const Int8Sums& tile) {
    if constexpr (kFilters == 1) {
      sums<kEnd, kRows, kVectors, kStrided>(tile);
    } else {
      group_sums<kEnd, kFilters, kRows, kVectors>(tile);
    }
  }
};

template <Int8End kEnd>
Int8SumsFunction find_sums(int rows, int vectors, int group, bool strided) {
  if (group == 1) return find_tile<InBlocks<1, kEnd>>(rows, vectors, strided);
  if (group != ISSP_GROUP) return nullptr;
  return find_tile<InBlocks<ISSP_GROUP, kEnd>>(rows, vectors, strided);
}

Int8SumsFunction find_sums(int rows, int vectors, int group, bool strided,
                           Int8End end) {
#ifdef ISSP_ENDS
  // Strided inputs are too rare for code of their own.
  if (strided) end = kBoundedEnd;
  if (end == kSaturatedEnd) {
    return find_sums<kSaturatedEnd>(rows, vectors, group, strided);
  }
  if (end == kAddedEnd) {
    return find_sums<kAddedEnd>(rows, vectors, group, strided);
  }
#else
  (void)end;
#endif
  return find_sums<kBoundedEnd>(rows, vectors, group, strided);
}

}  // namespace
