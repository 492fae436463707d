// Element-wise functions: MINIMUM and MAXIMUM with a number, the ReLU family,
// PRELU, LEAKY_RELU and LOGISTIC.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "activation.h"
#include "operators.h"

namespace issp {
namespace {

const char* check_image(int a, int out, const Tensors& tensors, Extent* made) {
  if (!tensors.is_image(a) || !tensors.is_new_image(out) ||
      tensors.channels(a) != tensors.channels(out) ||
      tensors.rank(a) != tensors.rank(out)) {
    return kOtherChannels;
  }
  *made = tensors.extent(a);
  return nullptr;
}

const char* check(const GraphNode& node, Tensors* tensors, Extent* made) {
  return check_image(node.input(0), node.output(), *tensors, made);
}

// Whether a constant has one number, or `numbers` numbers, and fits an image.
bool is_operand(int constant, int image, int numbers, const Tensors& tensors) {
  return tensors.is_constant(constant) &&
         tensors.rank(constant) <= tensors.rank(image) &&
         tensors.is_by_channel(constant, numbers);
}

const char* check_bound(const GraphNode& node, Tensors* tensors,
                        Extent* made) {
  int a = node.input(0), b = node.input(1);
  if (tensors->is_constant(a)) std::swap(a, b);
  const char* problem = check_image(a, node.output(), *tensors, made);
  if (problem) return problem;
  return is_operand(b, a, 1, *tensors) ? nullptr
                                       : "its bound is not one constant number";
}

const char* check_prelu(const GraphNode& node, Tensors* tensors,
                        Extent* made) {
  const int a = node.input(0);
  if (const char* problem = check(node, tensors, made)) return problem;
  return is_operand(node.input(1), a, tensors->channels(a), *tensors)
             ? nullptr
             : "its slopes are not one a channel";
}

const char* check_leaky(const GraphNode& node, Tensors* tensors,
                        Extent* made) {
  if (const char* problem = check(node, tensors, made)) return problem;
  return node.node->parameters ? nullptr : "it has no slope";
}

const char* check_logistic(const GraphNode& node, Tensors* tensors,
                           Extent* made) {
  if (const char* problem = check(node, tensors, made)) return problem;
  return made->is_pixel ? nullptr : "it is slow for more than one pixel";
}

const char* check_gelu(const GraphNode& node, Tensors* tensors, Extent* made) {
  if (const char* problem = check(node, tensors, made)) return problem;
  return node.node->parameters ? nullptr : "it does not say how exact it is";
}

std::string build_bound(const GraphNode& node, Builder* builder) {
  int a = node.input(0), b = node.input(1);
  if (builder->tensors().is_constant(a)) std::swap(a, b);
  std::vector<float> number;
  const std::string error = builder->by_channel(b, 1, &number);
  if (!error.empty()) return error;
  const bool is_most = node.code == tflite::kMinimum;
  Operation& of = builder->opened(a, node);
  builder->clamp(&of, is_most ? -kInfinity : number[0],
                 is_most ? number[0] : kInfinity);
  return "";
}

std::string build_relu(const GraphNode& node, Builder* builder) {
  Operation& of = builder->opened(node.input(0), node);
  if (builder->is_int8(node)) builder->requantize(&of, node, false);
  switch (node.code) {
    case tflite::kRelu:
      builder->activate(&of, tflite::kActivationRelu);
      break;
    case tflite::kRelu6:
      builder->activate(&of, tflite::kActivationRelu6);
      break;
    case tflite::kReluN1To1:
      builder->activate(&of, tflite::kActivationReluN1To1);
      break;
    case tflite::kRelu0To1:
      builder->clamp(&of, 0, 1);
      break;
  }
  return "";
}

void push_leaky(const GraphNode& node, std::vector<float> slopes,
                Builder* builder, bool rounds_factors) {
  if (builder->is_int8(node)) {
    const Tensors& tensors = builder->tensors();
    const float factor = tensors.quantization(node.input(0)).scale /
                         tensors.quantization(node.output()).scale;
    for (float& slope : slopes) slope *= factor;
    Operation& of = builder->opened(node.input(0), node);
    builder->rescale(&of, node, std::vector<float>(slopes.size(), factor),
                     slopes, rounds_factors);
    return;
  }
  Post post;
  post.kind = kLeaky;
  post.a = std::move(slopes);
  builder->push(&builder->opened(node.input(0), node), std::move(post));
}

std::string build_prelu(const GraphNode& node, Builder* builder) {
  std::vector<float> slopes;
  const std::string error =
      builder->by_channel(node.input(1),
                          builder->tensors().channels(node.output()), &slopes);
  if (error.empty()) push_leaky(node, std::move(slopes), builder, false);
  return error;
}

std::string build_leaky(const GraphNode& node, Builder* builder) {
  const int channels = builder->tensors().channels(node.output());
  const float slope = node.parameters<tflite::LeakyReluParameters>().alpha;
  push_leaky(node, std::vector<float>(channels, slope), builder, true);
  return "";
}

// The table of a function. Indices and entries are int8 numbers + 128.
std::vector<uint8_t> table_of(const Quantization& in, const Quantization& out) {
  std::vector<uint8_t> table;
  for (int number = kLeastInt8; number <= kMostInt8; ++number) {
    const double x = double(number - in.zero_point) * in.scale;
    const double made =
        std::nearbyint(1 / (1 + std::exp(-x)) / out.scale) + out.zero_point;
    const double within =
        std::min(std::max(made, double(kLeastInt8)), double(kMostInt8));
    table.push_back(uint8_t(int(within) - kLeastInt8));
  }
  return table;
}

std::string build_logistic(const GraphNode& node, Builder* builder) {
  Post post;
  post.kind = kLogistic;
  if (builder->is_int8(node)) {
    const Tensors& tensors = builder->tensors();
    post.table = table_of(tensors.quantization(node.input(0)),
                          tensors.quantization(node.output()));
  }
  builder->push(&builder->opened(node.input(0), node), std::move(post));
  return "";
}

std::string build_gelu(const GraphNode& node, Builder* builder) {
  Post post;
  post.kind = node.parameters<tflite::GeluParameters>().approximate
                  ? kGeluTanh
                  : kGelu;
  builder->push(&builder->opened(node.input(0), node), std::move(post));
  return "";
}

}  // namespace

const Operator kFunctions[] = {
    {tflite::kMinimum, check_bound, build_bound, Operator::kEach,
     Operator::kSame},
    {tflite::kMaximum, check_bound, build_bound, Operator::kEach,
     Operator::kSame},
    {tflite::kRelu, check, build_relu, Operator::kEach,
     Operator::kAny},
    {tflite::kRelu6, check, build_relu, Operator::kEach,
     Operator::kAny},
    {tflite::kReluN1To1, check, build_relu, Operator::kEach,
     Operator::kAny},
    {tflite::kRelu0To1, check, build_relu, Operator::kEach,
     Operator::kAny},
    {tflite::kPrelu, check_prelu, build_prelu, Operator::kEach,
     Operator::kAny},
    {tflite::kLeakyRelu, check_leaky, build_leaky, Operator::kEach,
     Operator::kAny},
    {tflite::kGelu, check_gelu, build_gelu, Operator::kEach},
    {tflite::kLogistic, check_logistic, build_logistic, Operator::kPlain,
     Operator::kAny},
    {},
};

}  // namespace issp
