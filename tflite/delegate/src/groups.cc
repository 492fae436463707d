#include "groups.h"

#include <algorithm>

#include "bands.h"
#include "slices.h"

namespace issp {
namespace {

// A band of a short group may use 1 / `kShareOfBand` of the cache.
constexpr size_t kShareOfBand = 12;
// The least rows of a band, so that tiles have several rows.
constexpr int kLeastBand = 4;
// Further bands need no more memory than these.
constexpr int kTypicalBands = 8;
// The most bands of an image. Planning takes time for each band. So bands of
// very high images are larger than the cache allows.
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
    // Long groups are better than high bands.
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

  // The operation after a mean needs all of it, and an image of one pixel has
  // other rows than its source. Threads share the channels of a mean, so that
  // its sums do not depend on the number of threads.
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
      // It needs its whole input.
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
