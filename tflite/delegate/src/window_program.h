// Programs of operations on windows: the addresses of the pixels that
// `kArrange` brings together, and the values that attention adds.

#ifndef ISSP_WINDOW_PROGRAM_H_
#define ISSP_WINDOW_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layout.h"
#include "network.h"

namespace issp {

struct WindowProgram {
  // Of `kArrange`: by row, vector (those beside a row too) and lane, in bytes
  // from the first pixel; -1 for a zero.
  std::vector<int32_t> offsets;
  int vectors = 0;  // Of a row.
  // Of `kAttention`: of each pixel of a row, in bytes.
  std::vector<int32_t> places;
  // By kind of row, head, pixel, vector and lane; times log2(e).
  std::vector<float> added;
};

// The programs of each operation; empty for others.
std::vector<WindowProgram> lower_windows(const Network& network,
                                         const Layout& layout);

// Vectors that attention needs to work with.
size_t scratch_of(const Network& network);

}  // namespace issp

#endif  // ISSP_WINDOW_PROGRAM_H_
