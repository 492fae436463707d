// CONCATENATION of the channels of images.

#include <string>
#include <utility>
#include <vector>

#include "operators.h"

namespace issp {
namespace {

// Each image after the first needs a pass over the result.
constexpr int kMostImages = 8;

// An image of a node, with the channels where it begins.
struct Source {
  int tensor;
  std::vector<int> begins;
};

std::vector<Source> sources_of(const GraphNode& node, const Tensors& tensors) {
  std::vector<Source> sources;
  int begin = 0;
  for (int i = 0; i < node.node->inputs->size; ++i) {
    const int tensor = node.input(i);
    Source* known = nullptr;
    for (Source& source : sources) {
      if (source.tensor == tensor) known = &source;
    }
    if (!known) {
      sources.push_back({tensor, {}});
      known = &sources.back();
    }
    known->begins.push_back(begin);
    begin += tensors.channels(tensor);
  }
  return sources;
}

const char* check(const GraphNode& node, Tensors* of_graph, Extent* made) {
  const Tensors& tensors = *of_graph;
  const int out = node.output(), inputs = node.node->inputs->size;
  if (!node.node->parameters || inputs < 1 || !tensors.is_new_image(out) ||
      tensors.rank(out) != 4) {
    return kNoImages;
  }
  const auto& of = node.parameters<tflite::ConcatenationParameters>();
  if ((of.axis != 3 && of.axis != -1) ||
      of.activation != tflite::kNoActivation) {
    return "it concatenates other dimensions than channels";
  }
  int channels = 0;
  for (int i = 0; i < inputs; ++i) {
    const int in = node.input(i);
    if (in < 0 || !tensors.is_image(in) || tensors.rank(in) != 4) {
      return kNoImages;
    }
    channels += tensors.channels(in);
    if (channels > tensors.channels(out)) return kOtherChannels;
    if (tensors.at(in).shape->data[0] !=
        tensors.at(node.input(0)).shape->data[0]) {
      return "its images have different batches";
    }
    if (tensors.extent(in).name != tensors.extent(node.input(0)).name) {
      return "its images may have different sizes";
    }
  }
  if (channels != tensors.channels(out)) return kOtherChannels;
  if (int(sources_of(node, tensors).size()) > kMostImages) {
    return "it concatenates more than 8 images";
  }
  *made = tensors.extent(node.input(0));
  return nullptr;
}

// Copies each image to its channels, and adds the copies.
std::string build(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  const int channels = tensors.channels(node.output());
  int before = -1;
  for (const Source& source : sources_of(node, tensors)) {
    Operation of = builder->copy_of(builder->value_of(source.tensor), &node);
    const int copied = int(of.bias.size());
    of.bias.assign(channels, 0);
    of.weights.clear();
    std::vector<int> from(channels, -1);
    for (int begin : source.begins) {
      for (int c = 0; c < copied; ++c) from[begin + c] = c;
    }
    for (int o = 0; o < channels; ++o) {
      if (from[o] >= 0) of.weights.push_back({o, 0, 0, from[o], 1});
    }
    if (builder->is_int8(node)) {
      of.int8.bias.assign(channels, 0);
      of.int8.multipliers.assign(channels, 1);
    }
    Operation& added = builder->append(std::move(of), node);
    if (before >= 0) {
      Post post;
      post.kind = kAdd;
      post.value = before;
      if (builder->is_int8(node)) {
        const int zero = tensors.quantization(node.output()).zero_point;
        // (2 x + 2 other - 4 zero + 1) >> 1
        post.addition = {2, 2, 1 - 4 * zero, 1};
        post.made_zero_point = zero;
      }
      builder->push(&added, std::move(post));
    }
    before = added.output;
  }
  return "";
}

}  // namespace

const Operator kConcatenations[] = {
    {tflite::kConcatenation, check, build, Operator::kPlain, Operator::kSame},
    {},
};

}  // namespace issp
