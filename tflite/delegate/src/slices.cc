#include "slices.h"

#include <algorithm>
#include <cstdint>

#include "cost.h"
#include "share.h"

namespace issp {
namespace {

// The time of a row. It does not matter to one thread.
double cost_of_row(const Network& network, const Layout& layout,
                   const Operation& of) {
#ifdef __wasm__
  return 1;
#else
  return cost_of(network, layout, of).sparse / layout.rows_of(of);
#endif
}

class Slicer {
 public:
  Slicer(const Network& network, const Layout& layout,
         const std::vector<Life>& lives, int begin, int end)
      : network_(network),
        layout_(layout),
        lives_(lives),
        begin_(begin),
        end_(end) {
    for (int i = begin; i < end; ++i) {
      const Operation& of = network.operations[i];
      heights_.push_back(layout.rows_of(of));
      costs_.push_back(cost_of_row(network, layout, of));
    }
  }

  // Cuts slices for `threads` threads; none if there are too few rows.
  std::vector<Slice> cut(int threads) const {
    std::vector<std::vector<int>> edges{std::vector<int>(heights_.size())};
    for (int t = 1; t < threads; ++t) edges.push_back(edge(t, threads));
    edges.push_back(heights_);
    std::vector<Slice> slices;
    for (int t = 0; t < threads; ++t) {
      slices.push_back({edges[t], edges[t + 1], edges[t + 1]});
      for (size_t i = 0; i < heights_.size(); ++i) {
        if (edges[t][i] >= edges[t + 1][i]) return {};
      }
    }
    for (int t = 0; t + 1 < threads; ++t) {
      slices[t].reach =
          Bands(network_, layout_, lives_, begin_, end_, slices[t]).reach();
      // A thread may only use rows of the next thread.
      for (size_t i = 0; i < heights_.size(); ++i) {
        if (slices[t].reach[i] > edges[t + 2][i]) return {};
      }
    }
    return slices;
  }

 private:
  // The first rows of a thread, such that the threads before have equal work.
  std::vector<int> edge(int thread, int threads) const {
    const double share = cost_before(heights_) * thread / threads;
    int low = 0, high = heights_[0];
    while (low < high) {
      const int middle = (low + high) / 2;
      if (cost_before(first_rows(middle)) < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return first_rows(low);
  }

  double cost_before(const std::vector<int>& rows) const {
    double cost = 0;
    for (size_t i = 0; i < rows.size(); ++i) cost += rows[i] * costs_[i];
    return cost;
  }

  // The first rows that need no rows before `row` of the first operation.
  std::vector<int> first_rows(int row) const {
    std::vector<int> first(layout_.images.size(), -1);  // By value.
    std::vector<int> rows;
    for (int i = begin_; i < end_; ++i) {
      const Operation& of = network_.operations[i];
      const int height = heights_[size_t(i - begin_)];
      int least = -1;
      visit_operands(of, [&](int value, const Post* post) {
        if (first[value] < 0) return;
        const int top = first[value] + layout_.paddings[i].top;
        least = std::max(
            least, post ? ceil_div(first[value], post->shuffled ? of.block : 1)
                        : ceil_div(top, of.stride.height));
      });
      if (least < 0) least = int(int64_t(height) * row / heights_[0]);
      rows.push_back(std::min(least, height));
      if (of.output >= 0) first[of.output] = rows.back() * of.block;
    }
    return rows;
  }

  const Network& network_;
  const Layout& layout_;
  const std::vector<Life>& lives_;
  const int begin_;
  const int end_;
  std::vector<int> heights_;   // By operation of the group.
  std::vector<double> costs_;  // Of a row.
};

}  // namespace

std::vector<Slice> slices_of(const Network& network, const Layout& layout,
                             const std::vector<Life>& lives, int begin,
                             int end, int threads) {
  const Slicer slicer(network, layout, lives, begin, end);
  if (network.operations[begin].kind == Operation::kMean) {
    // Threads share the channels of a mean.
    const int value = network.operations[begin].output;
    const bool repeats = network.values[value].repeats;
    return std::vector<Slice>(size_t(repeats ? 1 : threads),
                              slicer.cut(1).front());
  }
  std::vector<Slice> slices;
  for (; slices.empty(); --threads) slices = slicer.cut(threads);
  return slices;
}

}  // namespace issp
