// ADD, MUL and SUB: of an image and a constant, or of two images.

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

// Bits of the larger factor.
constexpr int kAdditionBits = 20;

int activation_of(const GraphNode& node) {
  return node.parameters<tflite::ElementwiseParameters>().activation;
}

// Finds the constants of an addition or subtraction in int8, like XNNPACK.
// Returns whether the scales allow it.
bool find_addition(const Quantization& a, const Quantization& b,
                   const Quantization& made, bool subtracts,
                   Int8Addition* addition) {
  const float of_a = a.scale / made.scale, of_b = b.scale / made.scale;
  const int shift = kAdditionBits - std::ilogb(std::max(of_a, of_b));
  if (shift < 1 || shift > 30) return false;
  addition->shift = shift;
  addition->a = int32_t(std::lrint(std::ldexp(double(of_a), shift)));
  addition->b = int32_t(std::lrint(std::ldexp(double(of_b), shift)));
  if (subtracts) addition->b = -addition->b;
  addition->bias = (1 << (shift - 1)) - addition->a * a.zero_point -
                   addition->b * b.zero_point;
  return true;
}

// Whether a node multiplies, or its scales allow an addition.
bool has_scales(const GraphNode& node, const Tensors& tensors) {
  const int a = node.input(0), b = node.input(1);
  for (int i : {a, b}) {
    if (!tensors.is_quantized(i, tflite::kInt8)) return false;
  }
  Int8Addition addition;
  return node.code == tflite::kMul ||
         find_addition(tensors.quantization(a), tensors.quantization(b),
                       tensors.quantization(node.output()), false, &addition);
}

// For two images. One may have a single pixel.
const char* check_two(int a, int b, const Tensors& tensors, Extent* made) {
  if (!tensors.is_image(b) || tensors.channels(a) != tensors.channels(b) ||
      tensors.rank(a) != tensors.rank(b)) {
    return kOtherChannels;
  }
  if (tensors.at(a).shape->data[0] != tensors.at(b).shape->data[0]) {
    return "its images have different batches";
  }
  const Extent of_b = tensors.extent(b);
  if (made->name == of_b.name || of_b.is_pixel) return nullptr;
  if (!made->is_pixel) return "its images may have different sizes";
  *made = of_b;
  return nullptr;
}

const char* check(const GraphNode& node, Tensors* of_graph, Extent* made) {
  const Tensors& tensors = *of_graph;
  const int out = node.output();
  int a = node.input(0), b = node.input(1);
  if (!tensors.is_new_image(out) || !node.node->parameters) {
    return "it makes no image";
  }
  if (!has_bounds(activation_of(node))) {
    return "its activation is not of the ReLU family";
  }
  const bool is_difference = node.code == tflite::kSub;
  if (!is_difference && tensors.is_constant(a)) std::swap(a, b);
  if (!tensors.is_image(a) || tensors.channels(a) != tensors.channels(out) ||
      tensors.rank(a) != tensors.rank(out)) {
    return kOtherChannels;
  }
  *made = tensors.extent(a);
  if (tensors.is_int8(out) && !has_scales(node, tensors)) {
    return "its numbers in int8 have no scales that fit each other";
  }
  if (!tensors.is_constant(b)) {
    return is_difference ? "it subtracts a value that is not constant"
                         : check_two(a, b, tensors, made);
  }
  return tensors.is_by_channel(b, tensors.channels(out)) &&
                 tensors.rank(b) <= tensors.rank(a)
             ? nullptr
             : "its constant is neither one number nor one a channel";
}

// Appends to the operation that makes the later image. If one image is a single
// pixel, it appends to the other.
void build_two(const GraphNode& node, int a, int b, Builder* builder) {
  const bool a_is_pixel = builder->tensors().extent(a).is_pixel;
  const bool b_is_pixel = builder->tensors().extent(b).is_pixel;
  const int place_a = builder->producer(a), place_b = builder->producer(b);
  bool swap = place_b > place_a && builder->open(b);
  if (a_is_pixel != b_is_pixel) swap = a_is_pixel;
  if (swap) std::swap(a, b);
  Post post;
  post.kind = node.code == tflite::kAdd ? kAdd : kMultiply;
  post.value = builder->held_like(b, a);
  if (builder->is_int8(node)) {
    const Tensors& tensors = builder->tensors();
    const Quantization of_a = tensors.quantization(a);
    const Quantization of_b = tensors.quantization(b);
    const Quantization made = tensors.quantization(node.output());
    find_addition(of_a, of_b, made, false, &post.addition);
    post.factor = of_a.scale * of_b.scale / made.scale;
    post.zero_point = of_a.zero_point;
    post.other_zero_point = of_b.zero_point;
    post.made_zero_point = made.zero_point;
  }
  // The other image must be computed first.
  const bool is_there = builder->producer(b) < builder->producer(a);
  Operation& of =
      is_there ? builder->opened(a, node) : builder->copied(a, node);
  builder->push(&of, std::move(post));
  builder->activate(&of, activation_of(node));
}

// For an int8 image and a constant.
std::string build_int8(const GraphNode& node, int a, int b, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  Constant constant;
  const std::string error = tensors.read(b, &constant, Numbers::kStored);
  if (!error.empty()) return error;
  const Quantization of_a = tensors.quantization(a);
  const Quantization of_b = tensors.quantization(b);
  const Quantization made = tensors.quantization(node.output());
  Post post;
  const bool multiplies = node.code == tflite::kMul;
  post.kind = multiplies ? kMultiply : kAffine;
  if (multiplies) {
    post.factor = of_a.scale * of_b.scale / made.scale;
  } else {
    find_addition(of_a, of_b, made, node.code == tflite::kSub, &post.addition);
  }
  const std::vector<float> numbers = constant.dense();
  for (int c = 0; c < tensors.channels(node.output()); ++c) {
    const int number = int(numbers[numbers.size() == 1 ? 0 : c]);
    // The addition expects a stored number.
    const int stored = number + of_b.zero_point;
    post.biases.push_back(multiplies ? number
                                     : post.addition.bias +
                                           post.addition.b * stored);
  }
  post.zero_point = of_a.zero_point;
  post.made_zero_point = made.zero_point;
  Operation& of = builder->opened(a, node);
  builder->push(&of, std::move(post));
  builder->activate(&of, activation_of(node));
  return "";
}

std::string build(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  int a = node.input(0), b = node.input(1);
  if (node.code != tflite::kSub && tensors.is_constant(a)) std::swap(a, b);
  if (!tensors.is_constant(b)) {
    build_two(node, a, b, builder);
    return "";
  }
  if (builder->is_int8(node)) return build_int8(node, a, b, builder);
  const int channels = tensors.channels(node.output());
  std::vector<float> numbers;
  const std::string error = builder->by_channel(b, channels, &numbers);
  if (!error.empty()) return error;
  Operation& of = builder->opened(a, node);
  if (node.code == tflite::kMul) {
    builder->scale(&of, numbers, std::vector<float>(channels, 0));
  } else {
    if (node.code == tflite::kSub) {
      for (float& number : numbers) number = -number;
    }
    builder->scale(&of, std::vector<float>(channels, 1), numbers);
  }
  builder->activate(&of, activation_of(node));
  return "";
}

}  // namespace

const Operator kElementwise[] = {
    {tflite::kAdd, check, build, Operator::kEach, Operator::kAny},
    {tflite::kMul, check, build, Operator::kEach, Operator::kAny},
    {tflite::kSub, check, build, Operator::kEach, Operator::kAny},
    {},
};

}  // namespace issp
