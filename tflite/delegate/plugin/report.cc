#include "report.h"

#include <map>
#include <string>

#include "description.h"
#include "node.h"

namespace issp {
namespace {

std::string describe(const std::map<int, std::string>& declined) {
  std::string text = "{";
  const char* comma = "";
  for (const auto& [node, reason] : declined) {
    text += comma + quoted(std::to_string(node)) + ": " + quoted(reason);
    comma = ", ";
  }
  return text + "}";
}

}  // namespace

std::string report(const State& state) {
  std::string text = std::string("{\"kernels\": ") +
                     quoted(state.options.kernels->name) + ", \"parts\": [";
  const char* comma = "";
  for (const Kernel* kernel : state.nodes) {
    for (const Job& job : kernel->jobs) {
      text += comma + describe(job.part, job.plan.get(), job.seconds, job.runs);
      comma = ", ";
    }
  }
  text += "], \"declined\": ";
  // Of the main graph, and of all graphs.
  text += state.declined.empty() ? "{}" : describe(state.declined.front());
  text += ", \"graphs\": [";
  comma = "";
  for (const auto& declined : state.declined) {
    text += comma + describe(declined);
    comma = ", ";
  }
  return text + "]}";
}

}  // namespace issp
