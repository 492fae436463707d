// Divides work into parts, and gives one part to each thread.

#ifndef ISSP_SHARE_H_
#define ISSP_SHARE_H_

#include <cstdint>
#include <utility>

namespace issp {

inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Part `part` of 0..count, which is cut into `parts` parts of nearly equal
// size.
inline std::pair<int, int> part_of(int count, int part, int parts) {
  return {int(int64_t(count) * part / parts),
          int(int64_t(count) * (part + 1) / parts)};
}

struct Share {
  int thread;
  int threads;

  std::pair<int, int> of(int count) const {
    return part_of(count, thread, threads);
  }
};

}  // namespace issp

#endif  // ISSP_SHARE_H_
