// Sums of products in int8, which take most of the time.

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

struct InBlocks {
  using Function = Int8SumsFunction;
  template <int kRows, int kVectors, bool kStrided>
  static void of(const Int8Sums& tile) {
    sums<kRows, kVectors, kStrided>(tile);
  }
};

Int8SumsFunction find_sums(int rows, int vectors, bool strided) {
  return find_tile<InBlocks>(rows, vectors, strided);
}

}  // namespace
