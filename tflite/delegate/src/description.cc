#include "description.h"

#include <cstddef>
#include <cstdint>

#include "across.h"
#include "cost.h"
#include "decimal.h"

namespace issp {
namespace {

// The kind of an operation, in one or two words.
const char* kind_of(const Operation& of) {
  switch (of.kind) {
    case Operation::kInput:
      return "input";
    case Operation::kLinear:
      if (of.dense == 0) return "copy";
      if (of.kernel != Size{1, 1}) return "convolution";
      for (const Post& post : of.posts) {
        if (post.kind == kGelu || post.kind == kGeluTanh) return "linear, GELU";
      }
      return "linear";
    case Operation::kAcross:
      return kAcrossTraits[of.across].name;
    case Operation::kArrange:
      return "order of pixels";
    case Operation::kAttention:
      return "attention";
    case Operation::kMean:
      return "mean";
    case Operation::kQuantize:
    case Operation::kDequantize:
      return "conversion";
    case Operation::kOutput:
      return "output";
  }
  return "";
}

// The number of non-zero blocks of an int8 layer, and the number of blocks of
// its dense kernel. Empty for other layers.
std::string describe_blocks(const Network& network, const Operation& of) {
  const bool has_blocks = of.kind == Operation::kLinear && of.dense > 0 &&
                          network.values[of.input].is_int8;
  if (!has_blocks) return "";
  const int64_t filters = int64_t(of.bias.size()) * of.kernel.height *
                          of.kernel.width;
  const int64_t inputs = int64_t(of.dense) / filters;
  return ", \"nonzero_blocks\": " + std::to_string(blocks_of(of)) +
         ", \"dense_blocks\": " +
         std::to_string(filters * ((inputs + kBlock - 1) / kBlock));
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result + "\"";
}

std::string describe(const Part& part, const Plan* plan,
                     const std::vector<double>& seconds, int runs) {
  const Network& network = part.network;
  std::string text = "{\"nodes\": " + std::to_string(part.nodes) +
                     ", \"expected_speedup\": " +
                     decimal(part.expected_speedup) +
                     ", \"runs\": " + std::to_string(runs) +
                     ", \"sparsity\": " + decimal(sparsity(network));
  if (plan) {
    text += ", \"bytes\": " + std::to_string(plan->bytes()) +
            ", \"groups\": " + std::to_string(plan->groups());
  }
  text += ", \"layers\": [";
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (i) text += ", ";
    text += "{\"name\": " + quoted(of.name);
    text += ", \"kind\": " + quoted(kind_of(of));
    text += ", \"nonzeros\": " + std::to_string(of.weights.size());
    text += ", \"dense\": " + std::to_string(int64_t(of.dense));
    text += describe_blocks(network, of);
    if (plan) text += ", " + plan->describe(int(i));
    const double taken = runs ? seconds[i] / runs : 0;
    text += ", \"ms\": " + decimal(1e3 * taken) + "}";
  }
  return text + "]}";
}

}  // namespace issp
