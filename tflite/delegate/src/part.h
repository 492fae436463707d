// A part of a graph. The delegate computes it as one node.

#ifndef ISSP_PART_H_
#define ISSP_PART_H_

#include <memory>
#include <vector>

#include "graph_copy.h"
#include "network.h"

namespace issp {

struct Part {
  Network network;
  std::vector<int> inputs;   // Tensors of the operations `kInput`.
  std::vector<int> outputs;  // Tensors of the operations `kOutput`.
  int nodes = 0;
  // The whole graph, if the part is all of it and it computes sizes of images.
  // Then `network` is for one size.
  std::shared_ptr<const GraphCopy> graph;
  double expected_speedup = 0;  // How many times faster than in the runtime.
};

}  // namespace issp

#endif  // ISSP_PART_H_
