// Sums of products in int8. They take most of the time.

namespace {

template <int kRows, int kVectors, bool kStrided>
void sums(const Int8Sums& tile) {
  const size_t input_vector = kStrided ? tile.input_vector : kBytes;
  const Range range(tile.range), added(tile.added);
  const Addition addition(tile.addition);
  for (int o = 0; o < tile.outputs; ++o) {
    Vector made[kRows][kVectors] = {};
    for (int i = 0; i < kBlock; ++i) {
      const int f = kBlock * o + i;
      Vector sum[kRows][kVectors];
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
            sum[r][v] = ISSP_DOT(
                sum[r][v],
                load(input + r * tile.input_row + v * input_vector), weight);
          }
        }
      }
      const Floats multiplier = spread_float(tile.multipliers[f]);
      ISSP_UNROLL
      for (int r = 0; r < kRows; ++r) {
        ISSP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          sum[r][v] = range.round(to_floats(sum[r][v]) * multiplier);
        }
      }
      if (tile.add) {
        const char* add = tile.add + tile.add_offsets[f];
        const Vector bias = spread(tile.addition.bias);
        ISSP_UNROLL
        for (int r = 0; r < kRows; ++r) {
          ISSP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            const Vector other = channel_of(
                load(add + r * tile.add_row + v * tile.add_vector),
                tile.add_bits[f]);
            sum[r][v] = addition.of(sum[r][v], other, bias, added);
          }
        }
      }
      ISSP_UNROLL
      for (int r = 0; r < kRows; ++r) {
        ISSP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          made[r][v] |= as_channel(sum[r][v], 8 * i);
        }
      }
    }
    store_tile(tile, o, made);
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

// Rounds the sums of filter f, and adds the other image.
template <int kRows, int kVectors>
ISSP_INLINE void end_sums(const Int8Sums& tile, int f, const Range& range,
                          const Addition& addition, const Range& added,
                          Vector (&sum)[kRows][kVectors]) {
  const Floats multiplier = spread_float(tile.multipliers[f]);
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = range.round(to_floats(sum[r][v]) * multiplier);
    }
  }
  if (!tile.add) return;
  const char* add = tile.add + tile.add_offsets[f];
  const Vector bias = spread(tile.addition.bias);
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vector other =
          channel_of(load(add + r * tile.add_row + v * tile.add_vector),
                     tile.add_bits[f]);
      sum[r][v] = addition.of(sum[r][v], other, bias, added);
    }
  }
}

// The sums of groups of filters.
template <int kGroup, int kRows, int kVectors>
void group_sums(const Int8Sums& tile) {
  const Range range(tile.range), added(tile.added);
  const Addition addition(tile.addition);
  const uint32_t* begins = tile.begins;
  const int32_t* weights = tile.weights;
  for (int o = 0; o < tile.outputs; ++o) {
    Vector made[kRows][kVectors] = {};
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
        end_sums(tile, kBlock * o + first + i, range, addition, added, sum[i]);
        ISSP_UNROLL
        for (int r = 0; r < kRows; ++r) {
          ISSP_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            made[r][v] |= as_channel(sum[i][r][v], 8 * (first + i));
          }
        }
      }
    }
    store_tile(tile, o, made);
  }
}

template <int kFilters>
struct InBlocks {
  using Function = Int8SumsFunction;
  static constexpr int kOutputs = kFilters;
  template <int kRows, int kVectors, bool kStrided>
  static void of(const Int8Sums& tile) {
    if constexpr (kFilters == 1) {
      sums<kRows, kVectors, kStrided>(tile);
    } else {
      group_sums<kFilters, kRows, kVectors>(tile);
    }
  }
};

Int8SumsFunction find_sums(int rows, int vectors, int group, bool strided) {
  if (group == 1) return find_tile<InBlocks<1>>(rows, vectors, strided);
  if (group != ISSP_GROUP) return nullptr;
  return find_tile<InBlocks<ISSP_GROUP>>(rows, vectors, strided);
}

}  // namespace
