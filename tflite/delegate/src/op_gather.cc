// GATHER of whole rows or columns of an image. Graphs mirror images with it.

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "operators.h"

namespace issp {
namespace {

// The gathered dimension of an image; 0 if that is neither height nor width.
int side_of(const GraphNode& node) {
  const auto& of = node.parameters<tflite::GatherParameters>();
  const int axis = of.axis < 0 ? of.axis + 4 : of.axis;
  return (axis == 1 || axis == 2) && !of.batch_dimensions ? axis : 0;
}

const char* check(const GraphNode& node, Tensors* tensors, Extent* made) {
  const int in = node.input(0), out = node.output();
  if (!tensors->is_image(in) || !tensors->is_new_image(out) ||
      !tensors->is_float(in) || tensors->rank(in) != 4 ||
      tensors->rank(out) != 4 || !node.node->parameters) {
    return "it does not gather rows or columns of an image in float32";
  }
  const int side = side_of(node);
  const std::vector<int> before = tensors->shape(in);
  std::vector<int> after = tensors->shape(out);
  if (!side || !tensors->extent(in).is_known ||
      !tensors->extent_in_file(out).is_known || after[size_t(side)] < 1) {
    return "it does not gather rows or columns of an image of a known size";
  }
  const size_t count = size_t(after[size_t(side)]);
  const int32_t* places = tensors->integers_of(node.input(1), count);
  after[size_t(side)] = before[size_t(side)];
  if (!places || after != before) return "its indices are not constant";
  for (size_t i = 0; i < count; ++i) {
    if (places[i] < 0 || places[i] >= before[size_t(side)]) {
      return "it gathers from beyond an image";
    }
  }
  *made = tensors->extent_in_file(out);
  return nullptr;
}

std::string build(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  const std::vector<int> before = tensors.shape(node.input(0));
  const std::vector<int> after = tensors.shape(node.output());
  const int side = side_of(node);
  const size_t count = size_t(after[size_t(side)]);
  const int32_t* places = tensors.integers_of(node.input(1), count);
  const std::vector<int> gathered(places, places + count);
  std::vector<int> others(before[size_t(3 - side)]);
  std::iota(others.begin(), others.end(), 0);
  builder->append_pixels(node.input(0), side == 1 ? gathered : others,
                         side == 1 ? others : gathered, node);
  return "";
}

}  // namespace

const Operator kGathers[] = {
    {tflite::kGather, check, build},
    {},
};

}  // namespace issp
