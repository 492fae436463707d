// Networks of whole graphs, also of graphs that compute sizes themselves.

#ifndef ISSP_WHOLE_H_
#define ISSP_WHOLE_H_

#include <string>
#include <vector>

#include "graph_copy.h"
#include "part.h"

namespace issp {

// Makes a network of all nodes of a graph. Returns what forbids it, or nothing.
std::string build_whole(GraphCopy* graph, Part* part);

// The same for an image of this shape: what the graph computes of sizes is
// known then.
std::string build_whole(const GraphCopy& graph, const std::vector<int>& shape,
                        Part* part);

}  // namespace issp

#endif  // ISSP_WHOLE_H_
