// Fills the border vectors to the left and right of the strips of an image.

namespace {

constexpr int next_lane(int l) { return l + 1; }
constexpr int previous_lane(int l) { return l ? l - 1 : kLanes; }

ISSP_INLINE Vector later(Vector x, Vector zero) {
  return ISSP_SHUFFLE(x, zero, next_lane);
}

ISSP_INLINE Vector earlier(Vector x, Vector zero) {
  return ISSP_SHUFFLE(x, zero, previous_lane);
}

// The vector whose lane l is lane l - `lanes` of `x`, or `zero`.
ISSP_INLINE Vector moved(Vector x, int lanes, Vector zero) {
  for (; lanes > 0; --lanes) x = earlier(x, zero);
  for (; lanes < 0; ++lanes) x = later(x, zero);
  return x;
}

void borders(const Tile& tile, int rows, int first, int vectors,
             const Border* const* borders, const int* counts,
             const uint8_t* columns, int32_t zero) {
  const Vector zeros = spread(Scalar(zero));
  for (int o = 0; o < tile.outputs; ++o) {
    const Border* border = borders[columns[o]];
    const Border* end = border + counts[columns[o]];
    for (; border < end; ++border) {
      const int v = border->vector - first;
      if (v < 0 || v >= vectors) continue;
      char* at = tile.output + tile.output_offsets[o] + v * tile.output_vector;
      for (int r = 0; r < rows; ++r, at += tile.output_row) {
        Vector x = load(at);
        if (border->valid_lanes < kLanes) {
          for (int l = border->valid_lanes; l < kLanes; ++l) x[l] = zeros[l];
          store(at, x);
        }
        if (border->lanes) {
          store(at + border->bytes, moved(x, border->lanes, zeros));
        }
      }
    }
  }
}

}  // namespace
