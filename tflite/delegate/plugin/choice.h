// Chooses the parts of a graph to take: those that become faster.

#ifndef ISSP_CHOICE_H_
#define ISSP_CHOICE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph.h"
#include "options.h"
#include "part.h"
#include "tflite_abi.h"

namespace issp {

struct Choice {
  std::vector<int> nodes;
  // Of each node of the runtime that is to be made, by those that it replaces.
  std::vector<std::pair<std::vector<int>, std::vector<Part>>> parts;
  std::map<int, std::string> declined;  // Why, by node of the graph.
};

// Keeps, of what can be computed, the parts for which that is faster. Returns
// what forbids it, or nothing.
std::string choose(tflite::Context* context, const Options& options,
                   const Graph& graph, Choice* choice);

}  // namespace issp

#endif  // ISSP_CHOICE_H_
