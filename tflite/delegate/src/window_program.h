// Programs of operations on windows: the addresses of pixels for `kArrange`,
// and the values that attention adds.

#ifndef ISSP_WINDOW_PROGRAM_H_
#define ISSP_WINDOW_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layout.h"
#include "network.h"

namespace issp {

struct WindowProgram {
  // Of `kArrange`: bytes from the first pixel, by row, vector and lane; -1 for
  // a zero. The vectors beside a row are included.
  std::vector<int32_t> offsets;
  int vectors = 0;  // Of a row.
  // Of `kAttention`: the place of each pixel of a row, in bytes.
  std::vector<int32_t> places;
  // Added values, by kind of row, head, pixel, vector and lane; times log2(e).
  std::vector<float> added;
};

// The program of each operation. It is empty for other kinds.
std::vector<WindowProgram> lower_windows(const Network& network,
                                         const Layout& layout);

// Scratch memory for attention, in vectors.
size_t scratch_of(const Network& network);

}  // namespace issp

#endif  // ISSP_WINDOW_PROGRAM_H_
