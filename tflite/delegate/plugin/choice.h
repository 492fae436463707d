// Chooses the parts of a graph that the delegate takes.

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
  // The parts of each new node of the runtime, with the nodes that it replaces.
  std::vector<std::pair<std::vector<int>, std::vector<Part>>> parts;
  std::map<int, std::string> declined;  // Reasons, by node of the graph.
};

// Chooses the parts that become faster. Returns the error, or an empty string.
std::string choose(tflite::Context* context, const Options& options,
                   const Graph& graph, Choice* choice);

}  // namespace issp

#endif  // ISSP_CHOICE_H_
