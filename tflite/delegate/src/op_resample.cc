// Operators that change the size of images: PAD before a convolution,
// DEPTH_TO_SPACE, and RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR by whole
// numbers.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "operators.h"

namespace issp {
namespace {

constexpr int kLargestBlock = 16;
constexpr int kLargestPadding = 64;
// For RESIZE_BILINEAR in int8. Up to this factor, integer weights fit into
// int8, and results round like those of XNNPACK.
constexpr int kLargestInt8Factor = 4;

// Checks that the input and output are images.
const char* check_image(const GraphNode& node, const Tensors& tensors,
                        bool keeps_channels, Extent* made) {
  const int in = node.input(0), out = node.output();
  if (!tensors.is_image(in) || !tensors.is_new_image(out) ||
      tensors.rank(in) != 4 || tensors.rank(out) != 4) {
    return kNoImages;
  }
  if (keeps_channels && tensors.channels(in) != tensors.channels(out)) {
    return kOtherChannels;
  }
  *made = tensors.extent(in);
  return nullptr;
}

const char* check_pad(const GraphNode& node, Tensors* tensors, Extent* made) {
  const char* problem = check_image(node, *tensors, true, made);
  if (problem) return problem;
  const int32_t* by = tensors->integers_of(node.input(1), 8);
  if (!by || node.node->inputs->size != 2) return "its padding is not constant";
  for (int i = 0; i < 8; ++i) {
    const bool inside = i >= 2 && i < 6;
    if (by[i] < 0 || by[i] > kLargestPadding || (!inside && by[i])) {
      return "it pads other than height and width, or by more than 64";
    }
  }
  made->name =
      "(" + made->name + " padded of " + std::to_string(node.output()) + ")";
  made->is_pixel = false;
  return nullptr;
}

std::string build_pad(const GraphNode& node, Builder* builder) {
  const int32_t* by = builder->tensors().integers_of(node.input(1), 8);
  builder->pad(node, {false, by[2], by[3], by[4], by[5]});
  return "";
}

const char* check_shuffle(const GraphNode& node, Tensors* tensors,
                          Extent* made) {
  const char* problem = check_image(node, *tensors, false, made);
  if (problem) return problem;
  const int block =
      node.node->parameters
          ? node.parameters<tflite::DepthToSpaceParameters>().block_size
          : 0;
  if (block < 1 || block > kLargestBlock ||
      tensors->channels(node.input(0)) !=
          tensors->channels(node.output()) * block * block) {
    return "its block is over 16, or does not divide the channels";
  }
  made->name = "(" + made->name + " times " + std::to_string(block) + ")";
  made->is_pixel = false;
  return nullptr;
}

std::string build_shuffle(const GraphNode& node, Builder* builder) {
  const int in = node.input(0);
  const Operation* of = builder->open(in);
  Operation& made = of && of->block > 1 ? builder->copied_image(in, node)
                                        : builder->opened_image(in, node);
  builder->shuffle(
      &made, node.parameters<tflite::DepthToSpaceParameters>().block_size);
  return "";
}

// The integer factor of a resizing node, or 0.
int factor_of(const GraphNode& node, const Tensors& tensors) {
  const int in = node.input(0), size = node.input(1);
  if (!node.node->parameters || size < 0) return 0;
  const auto& of = node.parameters<tflite::ResizeParameters>();
  if (of.align_corners) return 0;
  if (node.code == tflite::kResizeBilinear && !of.half_pixel_centers) return 0;
  const tflite::IntArray* shape = tensors.at(in).shape;
  const tflite::IntArray* signature = tensors.at(in).shape_signature;
  const int32_t* to = tensors.integers_of(size, 2);
  if (shape->size != 4 || !to) return 0;
  for (int i = 1; signature && i < std::min(signature->size, 3); ++i) {
    if (signature->data[i] < 0) return 0;
  }
  const int64_t factor = shape->data[1] > 0 ? to[0] / shape->data[1] : 0;
  const bool fits = factor >= 1 && factor <= kLargestBlock &&
                    to[0] == factor * shape->data[1] &&
                    to[1] == factor * shape->data[2];
  return fits ? int(factor) : 0;
}

const char* check_resize(const GraphNode& node, Tensors* tensors,
                         Extent* made) {
  const char* problem = check_image(node, *tensors, true, made);
  if (problem) return problem;
  const int factor = factor_of(node, *tensors);
  if (factor < 1) return "it does not resize a known size by a whole number";
  if (tensors->is_int8(node.output()) && factor > kLargestInt8Factor &&
      node.code == tflite::kResizeBilinear) {
    return "it resizes int8 by more than 4, bilinearly";
  }
  return nullptr;
}

// Each pixel becomes `factor` pixels. Returns the weight of neighbour `at` in
// output pixel `place`. Neighbours are 0 to 2, and 1 is the pixel itself.
float bilinear(int place, int at, int factor) {
  const float from = (place + 0.5f) / factor - 0.5f;
  return std::max(0.0f, 1 - std::abs(from - (at - 1)));
}

// Resizing by a whole number is a convolution and DEPTH_TO_SPACE. The
// convolution computes all output pixels of one input pixel.
std::string build_resize(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  const int factor = factor_of(node, tensors);
  const int channels = tensors.channels(node.output());
  const bool is_bilinear = node.code == tflite::kResizeBilinear;
  Operation of;
  of.kind = Operation::kLinear;
  of.name = builder->name_of(node);
  of.input = builder->value_of(node.input(0));
  of.block = factor;
  const int side = is_bilinear ? 3 : 1;
  of.kernel = {side, side};
  if (is_bilinear) {
    of.input = builder->copied_image(node.input(0), node).output;
    builder->repeat(of.input);
    of.padding = {false, 1, 1, 1, 1};
  }
  of.bias.assign(factor * factor * channels, 0);
  for (int o = 0; o < int(of.bias.size()); ++o) {
    const int place = o / channels;
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const float value = is_bilinear
                                ? bilinear(place / factor, y, factor) *
                                      bilinear(place % factor, x, factor)
                                : 1;
        if (value) of.weights.push_back({o, y, x, o % channels, value});
      }
    }
  }
  if (builder->is_int8(node)) {
    // Weights are scaled to integers. For an even factor, a larger scale and a
    // bias of 1 round half up, like XNNPACK.
    const bool is_even = factor % 2 == 0;
    const float whole =
        is_bilinear ? float(factor * factor) * (is_even ? 8 : 1) : 1;
    for (Nonzero& weight : of.weights) {
      weight.value = std::nearbyint(weight.value * whole);
    }
    of.int8.bias.assign(of.bias.size(), is_bilinear && is_even ? 1 : 0);
    of.int8.multipliers.assign(of.bias.size(), 1 / whole);
    of.int8.zero_point = tensors.quantization(node.output()).zero_point;
  }
  const int32_t* to = tensors.integers_of(node.input(1), 2);
  of.expected = {to[0], to[1]};
  builder->append(std::move(of), node);
  return "";
}

}  // namespace

const Operator kResamplings[] = {
    {tflite::kPad, check_pad, build_pad, Operator::kPads, Operator::kSame},
    {tflite::kDepthToSpace, check_shuffle, build_shuffle, Operator::kPlain,
     Operator::kSame},
    {tflite::kResizeBilinear, check_resize, build_resize, Operator::kPlain,
     Operator::kSame},
    {tflite::kResizeNearestNeighbor, check_resize, build_resize,
     Operator::kPlain, Operator::kSame},
    {},
};

}  // namespace issp
