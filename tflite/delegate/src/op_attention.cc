// Attention: a product of queries and keys, additions of constants, SOFTMAX,
// and a product with values. The operation is built for the last node.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attention_operand.h"
#include "operators.h"
#include "scores_added.h"

namespace issp {
namespace {

constexpr char kNoAttention[] =
    "it is not part of an attention within windows of an image";
constexpr int kMostPixels = 1024;  // Of a window.

bool read_products(const GraphNode& node, const Tensors& tensors,
                   Operand* queries, Operand* keys) {
  if (!node.node->parameters) return false;
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  return read_operand(node.input(0), of.adjoint_x, tensors, queries) &&
         read_operand(node.input(1), !of.adjoint_y, tensors, keys) &&
         queries->channels == keys->channels && is_alike(*queries, *keys);
}

// The first node: products of queries and keys.
const char* check_products(const GraphNode& node, Tensors* tensors) {
  Operand queries, keys;
  if (!read_products(node, *tensors, &queries, &keys)) return kNoAttention;
  const Digits& windows = queries.windows;
  const Arrangement all =
      arrangement_of(queries.view, windows, queries.pixels);
  View pixels = queries.view;
  pixels.dimensions = {windows, queries.pixels,
                       {{kChannels, pixels.channels(), 1}}};
  if (pixels.extents[kBatch] > 1) {
    pixels.dimensions[0].push_back({kBatch, pixels.extents[kBatch], 1});
  }
  pixels.begins[kChannels] = 0;
  if (pixels.channels() == 1) pixels.dimensions[2].clear();
  if (!pixels.has_all_pixels() || all.size().width > kMostPixels ||
      keys.view.factor * queries.view.factor == 0) {
    return kNoAttention;
  }
  const std::vector<int> shape = tensors->shape(node.output());
  if (shape.size() != queries.batch.size() + 2) return kNoAttention;
  for (size_t i = 0; i < queries.batch.size(); ++i) {
    if (shape[i] != count(queries.batch[i])) return kNoAttention;
  }
  const int side = count(queries.pixels);
  if (shape[shape.size() - 2] != side || shape.back() != side) {
    return kNoAttention;
  }
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  tensors->set_scores(node.output(), {node.input(0), node.input(1), {}, false,
                                      of.adjoint_x, !of.adjoint_y});
  return nullptr;
}

// The last node: products of weights and values.
const char* check_means(const GraphNode& node, Tensors* tensors) {
  const Scores& scores = *tensors->scores(node.input(0));
  Operand queries, values;
  if (!scores.is_softmax || !node.node->parameters) return kNoAttention;
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  if (of.adjoint_x || !read_operand(scores.queries, scores.transposes, *tensors,
                                    &queries) ||
      !read_operand(node.input(1), of.adjoint_y, *tensors, &values) ||
      !is_alike(queries, values) || values.view.factor != 1 ||
      !tensors->is_float(node.output())) {
    return kNoAttention;
  }
  View made = queries.view;
  made.factor = 1;
  made.source = node.output();
  made.begins[kChannels] = 0;
  made.extents[kChannels] = queries.heads.size * values.channels;
  made.dimensions = queries.batch;
  for (Digits& digits : made.dimensions) {
    for (Digit& digit : digits) {
      if (digit.axis == kChannels) digit.step = values.channels;
    }
  }
  made.dimensions.push_back(queries.pixels);
  made.dimensions.push_back({});
  if (values.channels > 1) {
    made.dimensions.back() = {{kChannels, values.channels, 1}};
  }
  tensors->set_view(node.output(), std::move(made));
  return nullptr;
}

const char* check_product(const GraphNode& node, Tensors* tensors, Extent*) {
  if (!tensors->is_float(node.output())) return kNoAttention;
  return tensors->scores(node.input(0)) ? check_means(node, tensors)
                                        : check_products(node, tensors);
}

// Adds a constant to scores, or subtracts it. Its shape must broadcast to that
// of the scores.
const char* check_add(const GraphNode& node, Tensors* tensors, Extent*) {
  int a = node.input(0), b = node.input(1);
  if (node.code == tflite::kAdd && !tensors->scores(a)) std::swap(a, b);
  const Scores* scores = tensors->scores(a);
  if (!scores || scores->is_softmax || b < 0 || !tensors->is_constant(b) ||
      !has_no_activation(node)) {
    return kNoAttention;
  }
  const std::vector<int> shape = tensors->shape(a);
  const std::vector<int> added = tensors->shape(b);
  if (added.size() > shape.size() ||
      tensors->shape(node.output()) != shape) {
    return kNoAttention;
  }
  for (size_t i = 0; i < added.size(); ++i) {
    const int size = added[added.size() - 1 - i];
    if (size != 1 && size != shape[shape.size() - 1 - i]) return kNoAttention;
  }
  Scores made = *scores;
  made.added.push_back({b, node.code == tflite::kSub});
  tensors->set_scores(node.output(), std::move(made));
  return nullptr;
}

const char* check_softmax(const GraphNode& node, Tensors* tensors, Extent*) {
  const Scores* scores = tensors->scores(node.input(0));
  if (!scores || scores->is_softmax || !node.node->parameters ||
      node.parameters<tflite::SoftmaxParameters>().beta != 1) {
    return kNoAttention;
  }
  Scores made = *scores;
  made.is_softmax = true;
  tensors->set_scores(node.output(), std::move(made));
  return nullptr;
}

// Multiplies queries or keys by one number.
const char* check_scale(const GraphNode& node, Tensors* tensors, Extent*) {
  int a = node.input(0), b = node.input(1);
  if (a >= 0 && tensors->is_constant(a)) std::swap(a, b);
  std::optional<View> view = tensors->view(a);
  if (!view || b < 0 || !tensors->is_constant(b) ||
      !tensors->is_by_channel(b, 1) || !has_no_activation(node) ||
      tensors->scores(a)) {
    return kNoAttention;
  }
  Constant factor;
  if (!tensors->read(b, &factor).empty()) return kNoAttention;
  view->factor *= factor.dense()[0];
  if (!(view->factor > -1e9f && view->factor < 1e9f)) return kNoAttention;
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

std::string build_nothing(const GraphNode&, Builder*) { return ""; }

std::string build_scale(const GraphNode& node, Builder* builder) {
  const int a = node.input(0);
  builder->alias(node.output(),
                 builder->tensors().is_constant(a) ? node.input(1) : a);
  return "";
}

std::string build_product(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  if (tensors.scores(node.output())) return "";
  const Scores& scores = *tensors.scores(node.input(0));
  Operand queries, keys, values;
  read_operand(scores.queries, scores.transposes, tensors, &queries);
  read_operand(scores.keys, scores.transposes_keys, tensors, &keys);
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  read_operand(node.input(1), of.adjoint_y, tensors, &values);
  const Arrangement order =
      arrangement_of(queries.view, queries.windows, queries.pixels);
  Operation made;
  made.kind = Operation::kAttention;
  made.name = builder->name_of(node);
  Attention& attention = made.attention;
  attention.channels = queries.channels;
  attention.value_channels = values.channels;
  attention.pixels = count(queries.pixels);
  attention.factor = queries.view.factor * keys.view.factor;
  const int heads = queries.heads.size;
  for (int head = 0; head < heads; ++head) {
    attention.heads.push_back(
        {queries.view.begins[kChannels] + head * queries.heads.step,
         keys.view.begins[kChannels] + head * keys.heads.step,
         values.view.begins[kChannels] + head * values.heads.step});
  }
  const std::string error = add_up(scores, queries, tensors, &attention);
  if (!error.empty()) return error;
  made.input = builder->arranged(scores.queries, order);
  attention.keys = builder->arranged(scores.keys, order);
  attention.values = builder->arranged(node.input(1), order);
  builder->append_attention(std::move(made), order, node);
  return "";
}

}  // namespace

const Operator kAttentions[] = {
    {tflite::kBatchMatMul, check_product, build_product, Operator::kMoves},
    {tflite::kAdd, check_add, build_nothing, Operator::kMoves},
    {tflite::kSub, check_add, build_nothing, Operator::kMoves},
    {tflite::kSoftmax, check_softmax, build_nothing, Operator::kMoves},
    {tflite::kMul, check_scale, build_scale, Operator::kMoves},
    {},
};

}  // namespace issp
