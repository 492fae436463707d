#include "whole.h"

#include <utility>

#include "builder.h"
#include "graph.h"
#include "reorder.h"
#include "resolve.h"

namespace issp {
namespace {

constexpr char kNoPath[] = "nothing leads from its input to its output";

std::string build_all(GraphCopy* copy, bool knows_sizes, Part* part) {
  std::string error;
  const Graph graph(copy->context(), &error, knows_sizes);
  if (!error.empty()) return error;
  if (!graph.problems().empty()) {
    const auto& [node, problem] = *graph.problems().begin();
    return "it has an operator " + copy->operator_name(node) +
           " that is not computed here: " + problem;
  }
  const std::vector<std::vector<int>> parts =
      graph.connected(graph.supported());
  if (parts.size() != 1) return kNoPath;
  Part made;
  error = build(graph, parts[0], copy->outputs(), &made);
  if (!error.empty()) return error;
  if (made.inputs != copy->inputs() || made.outputs != copy->outputs()) {
    return kNoPath;
  }
  reorder_channels(&made.network);
  *part = std::move(made);
  return "";
}

}  // namespace

std::string build_whole(GraphCopy* graph, Part* part) {
  return build_all(graph, false, part);
}

std::string build_whole(const GraphCopy& graph, const std::vector<int>& shape,
                        Part* part) {
  if (graph.inputs().size() != 1) return "it takes more than one image";
  GraphCopy copy(graph);
  const std::string error = resolve(shape, &copy);
  return error.empty() ? build_all(&copy, true, part) : error;
}

}  // namespace issp
