// Operators that move numbers of an image to other places of a tensor: RESHAPE,
// TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT, and CONCATENATION of parts of one
// image. Nothing is moved here; see views.h.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operators.h"

namespace issp {
namespace {

// The most dimensions for STRIDED_SLICE, also in the runtime.
constexpr size_t kMostDimensions = 8;
constexpr char kNoView[] =
    "its input is not a float32 image of a known size";
constexpr char kOtherOrder[] =
    "it moves numbers of an image to unknown places";

bool makes_floats(const GraphNode& node, const Tensors& tensors) {
  for (int out : tflite::to_vector(node.node->outputs)) {
    if (!tensors.is_float(out) || tensors.is_constant(out)) return false;
  }
  return true;
}

const char* check_reshape(const GraphNode& node, Tensors* tensors, Extent*) {
  std::optional<View> view = tensors->view(node.input(0));
  if (!view || !makes_floats(node, *tensors)) return kNoView;
  if (!reshape(tensors->shape(node.output()), &*view)) return kOtherOrder;
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

const char* check_transpose(const GraphNode& node, Tensors* tensors, Extent*) {
  std::optional<View> view = tensors->view(node.input(0));
  if (!view || !makes_floats(node, *tensors)) return kNoView;
  const size_t rank = view->dimensions.size();
  const int32_t* order = tensors->integers_of(node.input(1), rank);
  if (!order || !transpose({order, order + rank}, &*view)) return kOtherOrder;
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

const char* check_slice(const GraphNode& node, Tensors* tensors, Extent*) {
  std::optional<View> view = tensors->view(node.input(0));
  if (!view || !makes_floats(node, *tensors)) return kNoView;
  const size_t rank = view->dimensions.size();
  const int32_t* begins = tensors->integers_of(node.input(1), rank);
  const std::vector<int> shape = tensors->shape(node.output());
  if (!begins || shape.size() != rank) return kOtherOrder;
  for (size_t i = 0; i < rank; ++i) {
    if (!slice(int(i), begins[i], shape[i], &*view)) return kOtherOrder;
  }
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

// Slices with a stride of 1. Some dimensions may vanish.
const char* check_strided(const GraphNode& node, Tensors* tensors, Extent*) {
  std::optional<View> view = tensors->view(node.input(0));
  if (!view || !makes_floats(node, *tensors) || !node.node->parameters) {
    return kNoView;
  }
  const auto& of = node.parameters<tflite::StridedSliceParameters>();
  const size_t rank = view->dimensions.size();
  // It may slice only the first dimensions.
  const std::vector<int> count = node.input(1) < 0
                                     ? std::vector<int>()
                                     : tensors->shape(node.input(1));
  const size_t sliced = count.size() == 1 ? size_t(count[0]) : rank + 1;
  const int32_t* begins = tensors->integers_of(node.input(1), sliced);
  const int32_t* steps = tensors->integers_of(node.input(3), sliced);
  const std::vector<int> before = tensors->shape(node.input(0));
  const std::vector<int> shape = tensors->shape(node.output());
  if (rank > kMostDimensions || sliced > rank || !begins || !steps ||
      before.size() != rank || of.ellipsis_mask || of.new_axis_mask) {
    return kOtherOrder;
  }
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) {
    if (i >= sliced) {
      if (next == shape.size() || shape[next++] != before[i]) {
        return kOtherOrder;
      }
      continue;
    }
    const bool vanishes = of.shrink_axis_mask >> i & 1;
    if (steps[i] != 1 || (!vanishes && next == shape.size())) {
      return kOtherOrder;
    }
    int begin = of.begin_mask >> i & 1 ? 0 : begins[i];
    if (begin < 0 && before[i] > 0) begin += before[i];
    const int size = vanishes ? 1 : shape[next++];
    if (!slice(int(i), begin, size, &*view)) return kOtherOrder;
  }
  if (next != shape.size() || !reshape(shape, &*view)) return kOtherOrder;
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

const char* check_split(const GraphNode& node, Tensors* tensors, Extent*) {
  const std::optional<View> view = tensors->view(node.input(1));
  if (!view || !makes_floats(node, *tensors)) return kNoView;
  const int32_t* axis = tensors->integers_of(node.input(0), 1);
  const int rank = int(view->dimensions.size());
  if (!axis || *axis < -rank || *axis >= rank) return kOtherOrder;
  const int dimension = *axis < 0 ? *axis + rank : *axis;
  const std::vector<int> outputs = tflite::to_vector(node.node->outputs);
  std::vector<View> parts;
  int begin = 0;
  for (int out : outputs) {
    const std::vector<int> shape = tensors->shape(out);
    if (int(shape.size()) != rank) return kOtherOrder;
    parts.push_back(*view);
    const int size = shape[size_t(dimension)];
    if (!slice(dimension, begin, size, &parts.back())) return kOtherOrder;
    begin += size;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    tensors->set_view(outputs[i], std::move(parts[i]));
  }
  return nullptr;
}

const char* check_concatenation(const GraphNode& node, Tensors* tensors,
                                Extent*) {
  std::optional<View> view = tensors->view(node.input(0));
  if (!view || !makes_floats(node, *tensors) || !node.node->parameters) {
    return kNoView;
  }
  const auto& of = node.parameters<tflite::ConcatenationParameters>();
  const int rank = int(view->dimensions.size());
  if (of.axis < -rank || of.axis >= rank ||
      of.activation != tflite::kNoActivation) {
    return kOtherOrder;
  }
  const int dimension = of.axis < 0 ? of.axis + rank : of.axis;
  for (int i = 1; i < node.node->inputs->size; ++i) {
    const std::optional<View> next = tensors->view(node.input(i));
    if (!next || !concatenate(*next, dimension, &*view)) return kOtherOrder;
  }
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

std::string build(const GraphNode& node, Builder* builder) {
  const int in = node.input(node.code == tflite::kSplit ? 1 : 0);
  for (int out : tflite::to_vector(node.node->outputs)) {
    builder->alias(out, in);
  }
  return "";
}

}  // namespace

const Operator kMoves[] = {
    {tflite::kReshape, check_reshape, build, Operator::kMoves},
    {tflite::kTranspose, check_transpose, build, Operator::kMoves},
    {tflite::kSlice, check_slice, build, Operator::kMoves},
    {tflite::kStridedSlice, check_strided, build, Operator::kMoves},
    {tflite::kSplit, check_split, build, Operator::kMoves},
    {tflite::kConcatenation, check_concatenation, build, Operator::kMoves},
    {},
};

}  // namespace issp
