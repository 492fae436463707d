// How an image is cut into tiles of one size.

#ifndef ISSP_TILING_H_
#define ISSP_TILING_H_

#include "network.h"

namespace issp::engine {

// Tiles begin at multiples of this where possible. Then attention windows have
// the same positions in a tile as in the whole photograph.
constexpr int kAlignment = 16;

// The side of the tiles of an image with a side of `size`, if tiles may have
// any size. It is about `tile`, such that the last tile begins at a multiple,
// too.
int tile_side(int size, int tile);

// A tile along one side. It begins at `first`, and its result is used from
// `start` to `end`.
struct Cut {
  int first;
  int start;
  int end;
};

class Tiling {
 public:
  Tiling() = default;
  // `tile` may be larger than the image. `overlap` is in pixels, and less than
  // half of a tile.
  Tiling(const Size& image, const Size& tile, int overlap);

  int count() const { return rows_ * columns_; }
  const Size& image() const { return image_; }
  const Size& tile() const { return tile_; }
  // Tiles are numbered row by row.
  Cut down(int i) const;
  Cut across(int i) const;

 private:
  Size image_;
  Size tile_;
  int overlap_ = 0;
  int rows_ = 0;
  int columns_ = 0;
};

// The pixel that position `at` shows, if an image with a side of `size` is
// mirrored beyond its end.
int mirrored(int at, int size);

}  // namespace issp::engine

#endif  // ISSP_TILING_H_
