// Gives all tensors of a graph the shapes that follow from the size of an
// image, and computes all values that depend only on that size.

#ifndef ISSP_RESOLVE_H_
#define ISSP_RESOLVE_H_

#include <string>

#include "graph_copy.h"

namespace issp {

// `shape` is that of the only input. Nodes whose results are known are removed
// from the plan of the graph. Returns the error, or an empty string.
std::string resolve(const std::vector<int>& shape, GraphCopy* graph);

}  // namespace issp

#endif  // ISSP_RESOLVE_H_
