#include "tiling.h"

#include <algorithm>

namespace issp::engine {
namespace {

// Pixels from one tile to the next.
int step_of(int tile, int overlap) {
  const int step = tile - 2 * overlap;
  return step < kAlignment ? step : step / kAlignment * kAlignment;
}

// How many tiles of a length cover a side.
int tiles_along(int size, int tile, int overlap) {
  if (size <= tile) return 1;
  const int step = step_of(tile, overlap);
  return (size - 2 * overlap + step - 1) / step;
}

// The last tile begins earlier, so that it is as long as the others.
Cut cut(int i, int count, int size, int tile, int overlap) {
  const int step = step_of(tile, overlap);
  const int first = std::max(std::min(i * step, size - tile), 0);
  const int start = i == 0 ? 0 : i * step + overlap;
  const int end = i == count - 1 ? size : (i + 1) * step + overlap;
  return {first, start, end};
}

}  // namespace

Tiling::Tiling(const Size& image, const Size& tile, int overlap)
    : image_(image),
      tile_(tile),
      overlap_(overlap),
      rows_(tiles_along(image.height, tile.height, overlap)),
      columns_(tiles_along(image.width, tile.width, overlap)) {}

Cut Tiling::down(int i) const {
  return cut(i / columns_, rows_, image_.height, tile_.height, overlap_);
}

Cut Tiling::across(int i) const {
  return cut(i % columns_, columns_, image_.width, tile_.width, overlap_);
}

int tile_side(int size, int tile) {
  return size <= tile ? size : tile + (size - tile) % kAlignment;
}

int mirrored(int at, int size) {
  const int place = at % (2 * size);
  return place < size ? place : 2 * size - 1 - place;
}

}  // namespace issp::engine
