#include "groups.h"

#include <algorithm>

#include "bands.h"
#include "slices.h"

namespace issp {
namespace {

// Which part of the cache a band of a short group may have.
constexpr size_t kShareOfBand = 12;
// Rows of a band that operations should have, to make tiles of.
constexpr int kLeastBand = 4;
// After so many bands, the others need as much memory.
constexpr int kTypicalBands = 8;
// Of an image. Each takes time when a plan is made, so that those of very high
// images are larger than the cache would have them.
constexpr int kMostBands = 1 << 13;

class Cutter {
 public:
  Cutter(const Network& network, const Layout& layout,
         const std::vector<Life>& lives, size_t cache_bytes, int threads)
      : network_(network),
        layout_(layout),
        lives_(lives),
        cache_bytes_(cache_bytes),
        threads_(threads),
        count_(int(network.operations.size())) {}

  std::vector<Group> cut() const {
    std::vector<Group> groups;
    for (int begin = 0; begin < count_;) {
      const int end = end_of(begin);
      groups.push_back(
          {begin, end, rows_of(begin, end),
           slices_of(network_, layout_, lives_, begin, end, threads_)});
      begin = end;
    }
    return groups;
  }

 private:
  int end_of(int begin) const {
    int end = begin + 1;
    while (!must_end(end - 1, begin) &&
           fits(begin, end + 1, kLeastBand, cache_bytes_)) {
      ++end;
    }
    return end;
  }

  int rows_of(int begin, int end) const {
    const int height =
        Bands(network_, layout_, lives_, begin, end).height(end - 1);
    int rows = kLeastBand;
    // Long groups are worth more than high bands.
    const size_t budget = cache_bytes_ / kShareOfBand;
    while (rows < height && fits(begin, end, rows + 2, budget)) rows += 2;
    rows = std::max(rows, (height + kMostBands - 1) / kMostBands);
    return std::min(rows, height);
  }

  bool fits(int begin, int end, int rows, size_t budget) const {
    Bands bands(network_, layout_, lives_, begin, end);
    bands.run(rows, kTypicalBands);
    return bands.bytes() <= budget;
  }

  // What follows a mean needs all of it, and images of one pixel have other
  // rows than those that they come from. Threads share channels of a mean, so
  // that its sums do not depend on how many there are.
  bool must_end(int i, int begin) const {
    for (int j = begin; j <= i; ++j) {
      if (network_.operations[j].kind == Operation::kMean) return true;
    }
    if (i + 1 == count_) return true;
    if (threads_ > 1 &&
        network_.operations[i + 1].kind == Operation::kMean) {
      return true;
    }
    if (network_.operations[i + 1].kind == Operation::kArrange) {
      // It needs all of what it takes.
      for (int j = begin; j <= i; ++j) {
        if (network_.operations[j].output == network_.operations[i + 1].input) {
          return true;
        }
      }
    }
    return is_pixel(i) != is_pixel(i + 1) &&
           network_.operations[i + 1].kind != Operation::kMean;
  }

  bool is_pixel(int operation) const {
    const Operation& of = network_.operations[operation];
    const int value = of.output >= 0 ? of.output : of.input;
    return layout_.images[value].size == Size{1, 1};
  }

  const Network& network_;
  const Layout& layout_;
  const std::vector<Life>& lives_;
  const size_t cache_bytes_;
  const int threads_;
  const int count_;
};

}  // namespace

std::vector<Group> cut(const Network& network, const Layout& layout,
                       const std::vector<Life>& lives, size_t cache_bytes,
                       int threads) {
  return Cutter(network, layout, lives, cache_bytes, threads).cut();
}

}  // namespace issp
