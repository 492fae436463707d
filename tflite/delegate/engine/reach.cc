#include "reach.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace issp::engine {
namespace {

struct Sight {
  double pixel = 1;  // Side of a pixel, in input pixels.
  double farthest = 0;
};

}  // namespace

int reach(const Network& network) {
  std::vector<Sight> seen(network.values.size());
  double farthest = 0;
  for (const Operation& of : network.operations) {
    if (of.kind == Operation::kInput) continue;
    if (of.kind == Operation::kOutput) {
      farthest = std::max(farthest, seen[of.input].farthest);
      continue;
    }
    if (!of.has_tiles()) return -1;
    Sight made = seen[of.input];
    // With a stride, any pixel of the window may be the central one.
    const int height = (of.kernel.height - 1) * of.dilation.height;
    const int width = (of.kernel.width - 1) * of.dilation.width;
    if (height || width || of.stride != Size{1, 1}) {
      made.farthest += made.pixel * (std::max(height, width) / 2 +
                                     std::max(of.stride.height,
                                              of.stride.width) - 1);
    }
    made.pixel *= std::max(of.stride.height, of.stride.width);
    made.pixel /= of.block;
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      made.farthest = std::max(made.farthest, seen[post.value].farthest);
    }
    seen[of.output] = made;
  }
  return int(std::ceil(farthest));
}

}  // namespace issp::engine
