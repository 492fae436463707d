// MEAN over height and width.

#include <cstdint>
#include <string>
#include <utility>

#include "operators.h"

namespace issp {
namespace {

bool is_over_pixels(const int32_t* axes) {
  const auto is_axis = [](int axis, int of) {
    return axis == of || axis == of - 4;
  };
  return (is_axis(axes[0], 1) && is_axis(axes[1], 2)) ||
         (is_axis(axes[0], 2) && is_axis(axes[1], 1));
}

const char* check(const GraphNode& node, Tensors* of_graph, Extent* made) {
  const Tensors& tensors = *of_graph;
  const int in = node.input(0), out = node.output();
  if (!tensors.is_image(in) || !tensors.is_new_image(out) ||
      tensors.rank(in) != 4) {
    return kNoImages;
  }
  if (tensors.channels(in) != tensors.channels(out)) return kOtherChannels;
  const int32_t* axes = tensors.integers_of(node.input(1), 2);
  if (!axes || !is_over_pixels(axes) || !node.node->parameters) {
    return "its mean is not over height and width";
  }
  if (tensors.extent(in).is_pixel) return "its mean is over a single pixel";
  const auto& of = node.parameters<tflite::ReducerParameters>();
  if (tensors.rank(out) != (of.keep_dimensions ? 4 : 2)) {
    return "its output has other dimensions";
  }
  *made = {"1x1", true, true};
  return nullptr;
}

std::string build(const GraphNode& node, Builder* builder) {
  Operation mean;
  mean.kind = Operation::kMean;
  mean.input = builder->value_of(node.input(0));
  mean.name = builder->name_of(node);
  builder->append(std::move(mean), node);
  return "";
}

}  // namespace

const Operator kReductions[] = {
    {tflite::kMean, check, build, Operator::kPlain, Operator::kAny},
    {},
};

}  // namespace issp
