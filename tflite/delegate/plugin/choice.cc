#include "choice.h"

#include <cstring>
#include <memory>
#include <set>

#include "builder.h"
#include "cost.h"
#include "decimal.h"
#include "layout.h"
#include "reorder.h"
#include "shapes.h"
#include "whole.h"

namespace issp {
namespace {

using tflite::to_vector;

// The estimate may be too high by this factor. No network may become slower.
constexpr double kLeastSpeedup = 1.35;
// The same for int8 parts, on CPUs like the one where costs were measured and
// on others.
constexpr double kLeastMeasured = 1.15;
constexpr double kLeastUnmeasured = 1.95;
constexpr char kMeasured[] = "avx512_vnni";
// The least share of zeros, unless an option tells it. Int8 parts need none on
// the measured CPUs, because narrow dense layers become faster, too.
constexpr double kLeastZeros = 0.3;

// The expected speedup of a part over the runtime; 0 if the sizes of its images
// are unknown.
double expected_speedup(const tflite::Context& context, bool has_placeholders,
                        const Part& part) {
  Layout layout;
  const std::string error = lay_out(
      part.network,
      expected_sizes(context, part, has_placeholders),
      kFormatOfCosts, &layout);
  return error.empty() ? cost_of(part.network, layout).speedup() : 0;
}

// What a part must have to be taken.
struct Least {
  double zeros;  // Their share.
  double speedup;
};

Least least_of(const Part& part, const Options& options) {
  bool is_int8 = true;
  for (const Value& value : part.network.values) {
    is_int8 = is_int8 && value.is_int8;
  }
  const bool is_measured = !std::strcmp(options.kernels->name, kMeasured);
  Least least{kLeastZeros, kLeastSpeedup};
  if (is_int8) least.speedup = is_measured ? kLeastMeasured : kLeastUnmeasured;
  if (is_int8 && is_measured) least.zeros = 0;
  if (options.min_sparsity >= 0) least.zeros = options.min_sparsity;
  return least;
}

// Why a part would not become faster, or an empty string. Reordering channels
// is slow, so it is only done for parts that may be taken.
std::string why_slow(const tflite::Context& context, bool has_placeholders,
                     const Options& options, Part* part) {
  const double zeros = sparsity(part->network);
  const Least least = least_of(*part, options);
  // Attention is faster here even without zeros.
  if (!options.always && zeros < least.zeros &&
      !part->network.has_attention()) {
    return decimal(100 * zeros, 0) +
           " % of the weights of its part of the graph are zero, and " +
           decimal(100 * least.zeros, 0) + " % must be";
  }
  reorder_channels(&part->network);
  part->expected_speedup = expected_speedup(context, has_placeholders, *part);
  if (!options.always && part->expected_speedup < least.speedup) {
    return "its part of the graph is expected to be " +
           decimal(part->expected_speedup, 2) +
           " times as fast as dense, and " + decimal(least.speedup, 2) +
           " is needed";
  }
  return "";
}

// Why a part is left to the runtime, or an empty string.
std::string why_not(const tflite::Context& context, bool has_placeholders,
                    const Options& options, Part* part) {
  std::vector<Size> sizes;
  int batch = 0;
  if (read_sizes(context, *part, &sizes, &batch).empty()) {
    const std::string problem =
        conflict(part->network, sizes,
                 format_of(kernels_for(part->network, *options.kernels)));
    if (!problem.empty()) return problem;
  }
  return why_slow(context, has_placeholders, options, part);
}

// Chooses the parts that become faster. Returns the error, or an empty string.
std::string choose_parts(tflite::Context* context, const Options& options,
                         const Graph& graph, Choice* choice) {
  std::set<int> kept(graph.supported().begin(), graph.supported().end());
  choice->declined = graph.problems();
  while (true) {
    for (int index : graph.unpackers_without_users(kept)) kept.erase(index);
    std::vector<int> order;
    for (int index : graph.supported()) {
      if (kept.count(index)) order.push_back(index);
    }
    choice->nodes = order;
    choice->parts.clear();
    if (order.empty()) return "";
    const tflite::OwnedArray nodes(tflite::new_array(order));
    if (!nodes) return "there is no memory";
    tflite::DelegateParameters* partitions = nullptr;
    int count = 0;
    const int status = context->preview_partitioning(context, nodes.get(),
                                                     &partitions, &count);
    if (status != tflite::kOk) return "the runtime cannot split the graph";
    bool all = true;
    for (int i = 0; i < count; ++i) {
      const std::vector<int> nodes = to_vector(partitions[i].nodes_to_replace);
      const std::vector<int> outputs = to_vector(partitions[i].output_tensors);
      std::vector<Part> parts;
      for (const std::vector<int>& of : graph.connected(nodes)) {
        Part part;
        std::string reason = build(graph, of, outputs, &part);
        if (reason.empty()) {
          reason = why_not(*context, graph.tensors().has_placeholders(),
                           options, &part);
        }
        if (reason.empty()) {
          parts.push_back(std::move(part));
          continue;
        }
        all = false;
        for (int index : of) {
          kept.erase(index);
          choice->declined[index] = reason;
        }
      }
      choice->parts.push_back({nodes, std::move(parts)});
    }
    if (all) return "";
  }
}

// Whether a tensor is an image with an open size and known channels.
bool has_open_size(const tflite::Tensor& tensor) {
  const tflite::IntArray* of = tensor.shape_signature;
  return of && of->size == 4 && of->data[1] < 0 && of->data[2] < 0 &&
         of->data[3] > 0;
}

// Takes a graph that computes the sizes of its images. All of it must be
// computable for known sizes, and become faster. Returns whether it is taken.
bool choose_whole(tflite::Context* context, const Options& options,
                  Choice* choice) {
  const std::shared_ptr<GraphCopy> graph = copy_graph(context);
  if (!graph || graph->inputs().size() != 1 || graph->outputs().size() != 1 ||
      !has_open_size(graph->tensor(graph->inputs()[0]))) {
    return false;
  }
  const int channels =
      graph->tensor(graph->inputs()[0]).shape_signature->data[3];
  Part part;
  const std::vector<int> shape{1, kUsual.height, kUsual.width, channels};
  if (!build_whole(*graph, shape, &part).empty()) return false;
  if (!why_slow(*context, false, options, &part).empty()) return false;
  tflite::IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != tflite::kOk) return false;
  part.graph = graph;
  *choice = {};
  choice->nodes = to_vector(plan);
  choice->parts.emplace_back(choice->nodes, std::vector<Part>());
  choice->parts.back().second.push_back(std::move(part));
  return true;
}

}  // namespace

std::string choose(tflite::Context* context, const Options& options,
                   const Graph& graph, Choice* choice) {
  // A graph without problems does not need to be built for one size.
  if (!graph.problems().empty() && choose_whole(context, options, choice)) {
    return "";
  }
  return choose_parts(context, options, graph, choice);
}

}  // namespace issp
