// The ends of operations: bounds, functions, and the scales of int8.

#include <algorithm>
#include <cmath>
#include <utility>

#include "activation.h"
#include "builder.h"

namespace issp {
namespace {

// The int8 number of a bound, within the range of int8.
float nearest(float bound, const Quantization& numbers) {
  const float number =
      std::nearbyint(bound / numbers.scale) + float(numbers.zero_point);
  return std::min(std::max(number, float(kLeastInt8)), float(kMostInt8));
}

// XNNPACK multiplies int8 by multiples of 1/256, and rounds half up. It leaves
// other factors to the runtime. Rounds factors like XNNPACK. Returns a small
// offset for the products, so that rounding has no ties.
float round_factors(std::vector<float>* factors, std::vector<float>* below) {
  for (const std::vector<float>* all : {factors, below}) {
    for (float factor : *all) {
      const float size = std::abs(factor);
      if (size < 1 / 256.0f || size > 128) return 0;
    }
  }
  for (std::vector<float>* all : {factors, below}) {
    for (float& factor : *all) factor = std::nearbyint(256 * factor) / 256;
  }
  return 1 / 1024.0f;
}

}  // namespace

void Builder::clamp(Operation* of, float low, float high) const {
  if (low == -kInfinity && high == kInfinity) return;
  if (part_.network.values[of->output].is_int8) {
    // Every function in int8 ends with bounds.
    const Quantization& numbers = quantization_of(of->output);
    const bool has_posts = !of->posts.empty();
    float& least = has_posts ? of->posts.back().low : of->int8.low;
    float& most = has_posts ? of->posts.back().high : of->int8.high;
    least = std::min(std::max(least, nearest(low, numbers)), most);
    most = std::max(std::min(most, nearest(high, numbers)), least);
    return;
  }
  if (!of->posts.empty() && of->posts.back().kind == kClamp) {
    // Clamping is the same before and after DEPTH_TO_SPACE.
    Post& last = of->posts.back();
    last.low = std::min(std::max(last.low, low), high);
    last.high = std::min(std::max(last.high, low), high);
    return;
  }
  Post post;
  post.kind = kClamp;
  post.low = low;
  post.high = high;
  push(of, std::move(post));
}

void Builder::activate(Operation* of, int activation) const {
  float low, high;
  bounds_of(activation, &low, &high);
  clamp(of, low, high);
}

void Builder::rescale(Operation* of, const GraphNode& node,
                      std::vector<float> factors, std::vector<float> below,
                      bool rounds_factors) const {
  Post post;
  post.kind = kLeaky;
  if (rounds_factors) post.factor = round_factors(&factors, &below);
  post.a = std::move(below);
  post.b = std::move(factors);
  post.zero_point = tensors().quantization(node.input(0)).zero_point;
  post.made_zero_point = tensors().quantization(node.output()).zero_point;
  push(of, std::move(post));
}

void Builder::requantize(Operation* of, const GraphNode& node,
                         bool rounds_factors) const {
  const Quantization from = tensors().quantization(node.input(0));
  const Quantization to = tensors().quantization(node.output());
  if (from == to) return;
  const std::vector<float> factors(tensors().channels(node.output()),
                                   from.scale / to.scale);
  rescale(of, node, factors, factors, rounds_factors);
}

void Builder::push(Operation* of, Post post) const {
  post.shuffled = of->block > 1;
  if (part_.network.values[of->output].is_int8) {
    post.low = kLeastInt8;
    post.high = kMostInt8;
  }
  of->posts.push_back(std::move(post));
}

void Builder::scale(Operation* of, std::vector<float> a,
                    std::vector<float> b) const {
  if (!of->posts.empty() || of->kind != Operation::kLinear) {
    Post post;
    post.kind = kAffine;
    post.a = std::move(a);
    post.b = std::move(b);
    push(of, std::move(post));
    return;
  }
  for (Nonzero& weight : of->weights) {
    weight.value *= a[channel_of(*of, weight.output)];
  }
  for (int o = 0; o < int(of->bias.size()); ++o) {
    const int channel = channel_of(*of, o);
    of->bias[o] = of->bias[o] * a[channel] + b[channel];
  }
}

}  // namespace issp
