// How a group of operations computes an image in bands: some rows of its first
// operation, then the rows of the next one that need only these, and so on.
// Each thread does this for a slice of the image.

#ifndef ISSP_BANDS_H_
#define ISSP_BANDS_H_

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "layout.h"
#include "liveness.h"
#include "network.h"

namespace issp {

// The rows that a thread computes, by operation of a group.
struct Slice {
  std::vector<int> begin;
  std::vector<int> end;
  // The next thread computes the rows from `end` to here, and this thread uses
  // them.
  std::vector<int> reach;
};

// The operations from `begin` to before `end`, and the memory that they need.
class Bands {
 public:
  Bands(const Network& network, const Layout& layout,
        const std::vector<Life>& lives, int begin, int end);
  // The bands of a thread.
  Bands(const Network& network, const Layout& layout,
        const std::vector<Life>& lives, int begin, int end,
        const Slice& slice);

  // Goes through the bands, or through the first `most` of them. It calls
  // `compute(operation, begin, end)` before the rows count as done, and
  // `end_band()` after each band. Rows that come from the next thread have no
  // call. It also passes the bands before a thread's own rows, so that no
  // thread computes more rows at once than another.
  template <class Compute, class EndBand>
  void run(int rows, const Compute& compute, const EndBand& end_band,
           int most = INT_MAX) {
    const int last = last_row(end_ - 1);
    for (int done = 0; done < last && most > 0; --most) {
      done = std::min(done + rows, last);
      const std::vector<int>& need = needed(done);
      for (int i = begin_; i < end_; ++i) {
        for (int end : {std::min(need[i], last_row(i)), need[i]}) {
          if (end <= done_[i]) continue;
          note(i, end);
          compute(i, done_[i], end);
          done_[i] = end;
        }
      }
      note_passing();
      end_band();
    }
  }

  void run(int rows, int most = INT_MAX) {
    run(rows, [](int, int, int) {}, [] {}, most);
  }

  // The number of rows of an operation.
  int height(int operation) const;

  // The rows that the thread computes.
  int first_row(int operation) const {
    return slice_.begin[size_t(operation - begin_)];
  }
  int last_row(int operation) const {
    return slice_.end[size_t(operation - begin_)];
  }

  // Rows of an operation that are done, and that will be done at the end.
  int done(int operation) const { return done_[operation]; }
  std::vector<int> reach();

  // Whether the group computes a value.
  bool makes(int value) const { return producer_[value] >= 0; }

  // The first row of the input that an operation reads for its rows from `row`
  // on.
  int first_read(int operation, int row) const;

  // The first row of a value that is still needed.
  int first_needed(int value) const;

  // Output rows that exist after `done` rows. A mean has its one row at the
  // end.
  int made(int operation, int done) const;

  // The end of the output rows after `done` rows.
  int end_of_rows(int operation, int done) const;

  // Bytes in use at the same time.
  uint64_t bytes() const;

  // The most rows of a value that are kept.
  int retained(int value) const { return retained_[value]; }
  // The most rows of a value that are added at once.
  int largest(int value) const { return largest_[value]; }
  // Whether each band uses all rows of the value that it computes.
  bool passes(int value) const { return passes_[value]; }

 private:
  const std::vector<int>& needed(int done);
  void require(int value, int rows);
  void note(int operation, int done);
  void note_passing();

  const Network& network_;
  const Layout& layout_;
  const std::vector<Life>& lives_;
  const int begin_;
  const int end_;
  const Slice slice_;
  std::vector<int> done_;      // Rows, by operation.
  std::vector<int> need_;      // Rows, by operation.
  std::vector<int> producer_;  // Operation in the group, by value.
  std::vector<std::vector<int>> users_;  // Operations, by value.
  std::vector<int> retained_;
  std::vector<int> largest_;
  std::vector<bool> passes_;
};

}  // namespace issp

#endif  // ISSP_BANDS_H_
