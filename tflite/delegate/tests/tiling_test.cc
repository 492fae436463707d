// Tiles cover an image, overlap, and lie on the grid of windows.

#include "tiling.h"

#include <algorithm>

#include "testing.h"

namespace issp::testing {
namespace {

using engine::Cut;
using engine::Tiling;

TEST(tiles_cover_each_pixel_once_and_see_what_is_around_it) {
  Random random(1);
  for (int i = 0; i < cases(2000); ++i) {
    const int size = random.between(1, 300);
    const int side = engine::tile_side(size, random.between(4, 80));
    const int overlap = random.between(0, side / 4);
    const Tiling tiling({size, 1}, {side, 1}, overlap);
    int covered = 0;
    for (int k = 0; k < tiling.count(); ++k) {
      const Cut cut = tiling.down(k);
      EXPECT(cut.start == covered) << size << " " << side;
      EXPECT(cut.start < cut.end);
      EXPECT(cut.first >= 0 && cut.first + side <= std::max(size, side));
      EXPECT(cut.first == 0 || cut.start >= cut.first + overlap);
      EXPECT(cut.end == size || cut.end <= cut.first + side - overlap);
      covered = cut.end;
    }
    EXPECT(covered == size);
  }
}

TEST(tiles_begin_at_multiples_of_windows) {
  for (int size = 193; size < 500; size += 7) {
    const int side = engine::tile_side(size, 192);
    EXPECT(side >= 192 && side < 192 + engine::kAlignment);
    const Tiling tiling({1, size}, {1, side}, 0);
    const Tiling overlapping({size, 1}, {side, 1}, 16);
    for (int k = 0; k < overlapping.count(); ++k) {
      EXPECT(overlapping.down(k).first % engine::kAlignment == 0) << size;
    }
    for (int k = 0; k < tiling.count(); ++k) {
      EXPECT(tiling.across(k).first % engine::kAlignment == 0) << size;
    }
  }
}

TEST(what_is_beyond_an_image_is_mirrored) {
  const int expected[] = {0, 1, 2, 2, 1, 0, 0, 1};
  for (int i = 0; i < 8; ++i) EXPECT(engine::mirrored(i, 3) == expected[i]);
  EXPECT(engine::mirrored(5, 1) == 0);
}

}  // namespace
}  // namespace issp::testing
