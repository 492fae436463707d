// Tiles of sums: their sizes, and storing them.

namespace {

// The largest tiles, of 1 to 4 rows.
#ifdef ISSP_MOST_SUMS
// For WebAssembly, where code is downloaded: only one or two rows.
constexpr int kWidest[kMostRows] = {ISSP_MOST_SUMS, ISSP_MOST_SUMS / 2};
constexpr int kWidestStrided[kMostRows] = {4};
#else
constexpr int kWidest[kMostRows] = {12, 6, 5, 5};
constexpr int kWidestStrided[kMostRows] = {5, 5};
#endif

// Outputs that are summed at once. CPUs with 32 registers have room for the
// sums and weights of four outputs. CPUs with 16 have room for two, in int8.
#ifndef ISSP_GROUP
#define ISSP_GROUP 4
#endif
#ifdef ISSP_MOST_SUMS
constexpr int kMostGroupSums = ISSP_MOST_SUMS;
#else
constexpr int kMostGroupSums = ISSP_GROUP > 2 ? 24 : 10;
#endif

// Whether a tile exists in a family that computes `outputs` outputs at once.
constexpr bool is_tile(int outputs, int rows, int vectors, bool strided) {
  if (rows > kMostRows || vectors > kWidest[rows - 1]) return false;
  if (outputs > 1) {
    return !strided && outputs * rows * vectors <= kMostGroupSums;
  }
  return !strided || vectors <= kWidestStrided[rows - 1];
}

// The function `Family::of` of a tile, or null if there is none.
template <class Family, int kRows = 1, int kVectors = 1>
typename Family::Function find_tile(int rows, int vectors, bool strided) {
  if (rows != kRows) {
    if constexpr (is_tile(Family::kOutputs, kRows + 1, 1, false)) {
      return find_tile<Family, kRows + 1, 1>(rows, vectors, strided);
    }
    return nullptr;
  }
  if (vectors != kVectors) {
    if constexpr (is_tile(Family::kOutputs, kRows, kVectors + 1, false)) {
      return find_tile<Family, kRows, kVectors + 1>(rows, vectors, strided);
    }
    return nullptr;
  }
  if (!strided) return Family::template of<kRows, kVectors, false>;
  if constexpr (is_tile(Family::kOutputs, kRows, kVectors, true)) {
    return Family::template of<kRows, kVectors, true>;
  }
  return nullptr;
}

// Writes output `o` of a tile.
template <int kRows, int kVectors>
ISSP_INLINE void store_tile(const Tile& tile, int o,
                            const Vector (&made)[kRows][kVectors]) {
  char* output = tile.output + tile.output_offsets[o];
  ISSP_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      store(output + r * tile.output_row + v * tile.output_vector, made[r][v]);
    }
  }
}

}  // namespace
