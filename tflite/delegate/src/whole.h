// Networks of whole graphs, including graphs that compute sizes.

#ifndef ISSP_WHOLE_H_
#define ISSP_WHOLE_H_

#include <string>
#include <vector>

#include "graph_copy.h"
#include "part.h"

namespace issp {

// Makes a network of all nodes of a graph. Returns the error, or an empty
// string.
std::string build_whole(GraphCopy* graph, Part* part);

// The same for an image of this shape. Then the sizes that the graph computes
// are known.
std::string build_whole(const GraphCopy& graph, const std::vector<int>& shape,
                        Part* part);

}  // namespace issp

#endif  // ISSP_WHOLE_H_
