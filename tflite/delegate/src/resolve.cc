#include "resolve.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "constant.h"
#include "size_operators.h"

namespace issp {
namespace {

using tflite::Tensor;

// The most numbers of a constant from which sizes may be computed.
constexpr int64_t kMostRead = 1 << 12;

template <class Number>
void read_as(const Tensor& tensor, std::vector<double>* values) {
  const auto* data = static_cast<const Number*>(tensor.data);
  values->assign(data, data + values->size());
}

// The numbers of a stored constant, if sizes may be computed from it.
std::optional<Array> read_numbers(const Tensor& tensor) {
  const Shape shape = tflite::to_vector(tensor.shape);
  const int64_t count = count_of(shape);
  if (tensor.sparsity || count < 0 || count > kMostRead ||
      int64_t(tensor.bytes) != count * bytes_of_type(tensor.type)) {
    return std::nullopt;
  }
  Array made{shape, std::vector<double>(size_t(count))};
  switch (tensor.type) {
    case tflite::kInt32:
      read_as<int32_t>(tensor, &made.values);
      break;
    case tflite::kInt64:
      read_as<int64_t>(tensor, &made.values);
      break;
    case tflite::kFloat32:
      read_as<float>(tensor, &made.values);
      break;
    case tflite::kBool:
      read_as<uint8_t>(tensor, &made.values);
      break;
    case tflite::kFloat16: {
      Constant constant;
      if (!read_constant(tensor, &constant).empty()) return std::nullopt;
      const std::vector<float> all = constant.dense();
      made.values.assign(all.begin(), all.end());
      break;
    }
    default:
      return std::nullopt;
  }
  return made;
}

template <class Number>
void write_as(const std::vector<double>& values, int tensor,
              GraphCopy* graph) {
  const std::vector<Number> all(values.begin(), values.end());
  graph->set_constant(tensor, all.data(), all.size() * sizeof(Number));
}

// Sets a tensor to its known numbers. Returns whether its type can hold them.
bool write_numbers(const Array& numbers, int tensor, GraphCopy* graph) {
  const int type = graph->tensor(tensor).type;
  if (type == tflite::kFloat32) {
    write_as<float>(numbers.values, tensor, graph);
    return true;
  }
  for (double number : numbers.values) {
    if (!is_int32(number)) return false;
  }
  if (type == tflite::kInt32) {
    write_as<int32_t>(numbers.values, tensor, graph);
  } else if (type == tflite::kInt64) {
    write_as<int64_t>(numbers.values, tensor, graph);
  } else if (type == tflite::kBool) {
    write_as<uint8_t>(numbers.values, tensor, graph);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string resolve(const std::vector<int>& shape, GraphCopy* graph) {
  std::map<int, Known> known;
  for (int i = 0; i < graph->tensors(); ++i) {
    const Tensor& of = graph->tensor(i);
    if (!is_stored(of) || !of.shape) continue;
    known[i] = {tflite::to_vector(of.shape), read_numbers(of)};
  }
  known[graph->inputs()[0]] = {shape, std::nullopt};
  graph->set_shape(graph->inputs()[0], shape);
  std::vector<int> plan;
  for (int i = 0; i < graph->nodes(); ++i) {
    const tflite::Node& node = graph->node(i);
    // TFLite allows -1 for a tensor that does not exist.
    for (int output : tflite::to_vector(node.outputs)) {
      if (output < 0) return graph->operator_name(i) + " makes nothing";
    }
    std::vector<Known> made = make(KnownNode(*graph, i, known));
    if (int(made.size()) != node.outputs->size) {
      return "the size of what " + graph->operator_name(i) +
             " makes does not follow from that of the image";
    }
    bool is_known = true;
    for (size_t k = 0; k < made.size(); ++k) {
      const int tensor = node.outputs->data[k];
      graph->set_shape(tensor, made[k].shape);
      is_known = is_known && made[k].numbers;
      if (made[k].numbers &&
          !write_numbers(*made[k].numbers, tensor, graph)) {
        return "what " + graph->operator_name(i) + " makes is too large";
      }
      known[tensor] = std::move(made[k]);
    }
    if (!is_known) plan.push_back(i);
  }
  graph->set_plan(plan);
  return "";
}

}  // namespace issp
