// What one of several threads does of something.

#ifndef ISSP_SHARE_H_
#define ISSP_SHARE_H_

#include <cstdint>
#include <utility>

namespace issp {

// The part `part` of 0..count that is cut into `parts` of nearly one size.
inline std::pair<int, int> part_of(int count, int part, int parts) {
  return {int(int64_t(count) * part / parts),
          int(int64_t(count) * (part + 1) / parts)};
}

struct Share {
  int thread;
  int threads;
  // Whether a thread has the same rows of all images, so that it never needs
  // what another makes.
  bool by_rows = false;

  std::pair<int, int> of(int count) const {
    return part_of(count, thread, threads);
  }
  // Of the rows and of the tiles in them.
  std::pair<int, int> rows_of(int count) const {
    return by_rows ? of(count) : std::make_pair(0, count);
  }
  std::pair<int, int> tiles_of(int count) const {
    return by_rows ? std::make_pair(0, count) : of(count);
  }
};

}  // namespace issp

#endif  // ISSP_SHARE_H_
