// Sums of products with weights. They take most of the time.

namespace {

template <int kRows, int kVectors>
ISSP_INLINE void begin_sums(const Sums& tile, int o,
                            Vector (&sum)[kRows][kVectors]) {
  if (tile.continues) {
    const char* output = tile.output + tile.output_offsets[o];
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] =
            load(output + r * tile.output_row + v * tile.output_vector);
      }
    }
  } else if (tile.add) {
    const char* add = tile.add + tile.add_offsets[o];
    const Vector bias = all(tile.bias[o]);
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = bias + load(add + r * tile.add_row + v * tile.add_vector);
      }
    }
  } else {
    const Vector bias = all(tile.bias[o]);
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = bias;
    }
  }
}

template <int kRows, int kVectors>
ISSP_INLINE void end_sums(const Sums& tile, int o,
                          Vector (&sum)[kRows][kVectors]) {
  if (tile.clamps) {
    ISSP_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = clamp(sum[r][v], tile.low, tile.high);
      }
    }
  }
  store_tile(tile, o, sum);
}

template <int kRows, int kVectors, bool kStrided>
void sums(const Sums& tile) {
  const size_t input_vector = kStrided ? tile.input_vector : kBytes;
  for (int o = 0; o < tile.outputs; ++o) {
    Vector sum[kRows][kVectors];
    begin_sums(tile, o, sum);
    const uint32_t end = tile.begins[o + 1];
    for (uint32_t k = tile.begins[o]; k < end; ++k) {
      const char* input = tile.input + tile.offsets[k];
      const Vector weight = all(tile.values[k]);
      ISSP_UNROLL
      for (int r = 0; r < kRows; ++r) {
        ISSP_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          sum[r][v] +=
              weight * load(input + r * tile.input_row + v * input_vector);
        }
      }
    }
    end_sums(tile, o, sum);
  }
}

// The sums of groups of outputs. Each input vector is loaded once per group.
template <int kGroup, int kVectors>
void group_sums(const Sums& tile) {
  for (int g = 0; g < tile.outputs / kGroup; ++g) {
    Vector sum[kGroup][1][kVectors];
    ISSP_UNROLL
    for (int i = 0; i < kGroup; ++i) begin_sums(tile, g * kGroup + i, sum[i]);
    const uint32_t end = tile.begins[g + 1];
    for (uint32_t k = tile.begins[g]; k < end; ++k) {
      const char* input = tile.input + tile.offsets[k];
      const float* values = tile.values + size_t(k) * kGroup;
      Vector weights[kGroup];
      ISSP_UNROLL
      for (int i = 0; i < kGroup; ++i) weights[i] = all(values[i]);
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vector x = load(input + v * kBytes);
        ISSP_UNROLL
        for (int i = 0; i < kGroup; ++i) sum[i][0][v] += weights[i] * x;
      }
    }
    ISSP_UNROLL
    for (int i = 0; i < kGroup; ++i) end_sums(tile, g * kGroup + i, sum[i]);
  }
}

struct OneByOne {
  using Function = SumsFunction;
  static constexpr int kOutputs = 1;
  template <int kRows, int kVectors, bool kStrided>
  static void of(const Sums& tile) {
    sums<kRows, kVectors, kStrided>(tile);
  }
};

template <int kGroup, int kVectors>
SumsFunction find_group(int vectors) {
  if (vectors == kVectors) return group_sums<kGroup, kVectors>;
  if constexpr (kVectors < kMostVectors && kGroup * kVectors < kMostGroupSums) {
    return find_group<kGroup, kVectors + 1>(vectors);
  }
  return nullptr;
}

SumsFunction find_sums(int rows, int vectors, int group, bool strided) {
  if (group == 1) return find_tile<OneByOne>(rows, vectors, strided);
  if (rows != 1 || strided) return nullptr;
  if (group == 2) return find_group<2, 1>(vectors);
  return group == 4 ? find_group<4, 1>(vectors) : nullptr;
}

}  // namespace
