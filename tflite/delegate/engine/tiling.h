// How an image is cut into tiles of one size.

#ifndef ISSP_TILING_H_
#define ISSP_TILING_H_

#include "network.h"

namespace issp::engine {

// Tiles begin at multiples of this where they can, so that windows of attention
// lie in them as in the whole photograph.
constexpr int kAlignment = 16;

// A side of the tiles of an image that is so long, where tiles may have any
// size: about `tile`, so that the last one begins at a multiple, too.
int tile_side(int size, int tile);

// A tile along one side: it begins at `first`, and what it makes is used from
// `start` to `end`.
struct Cut {
  int first;
  int start;
  int end;
};

class Tiling {
 public:
  Tiling() = default;
  // Args: `tile`, which may be larger than the image; and by how many pixels
  // tiles overlap, less than half of a tile.
  Tiling(const Size& image, const Size& tile, int overlap);

  int count() const { return rows_ * columns_; }
  const Size& image() const { return image_; }
  const Size& tile() const { return tile_; }
  // Row by row.
  Cut down(int i) const;
  Cut across(int i) const;

 private:
  Size image_;
  Size tile_;
  int overlap_ = 0;
  int rows_ = 0;
  int columns_ = 0;
};

// Which pixel of a side of so many is shown where an image is mirrored beyond
// its end.
int mirrored(int at, int size);

}  // namespace issp::engine

#endif  // ISSP_TILING_H_
