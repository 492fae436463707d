// A part of a graph that is computed as one.

#ifndef ISSP_PART_H_
#define ISSP_PART_H_

#include <vector>

#include "network.h"

namespace issp {

struct Part {
  Network network;
  std::vector<int> inputs;   // Tensors, of the operations `kInput`.
  std::vector<int> outputs;  // Tensors, of the operations `kOutput`.
  int nodes = 0;
  double expected_speedup = 0;  // How many times faster than in the runtime.
};

}  // namespace issp

#endif  // ISSP_PART_H_
