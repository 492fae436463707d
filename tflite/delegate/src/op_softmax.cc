// SOFTMAX over the channels of an image.

#include <string>

#include "operators.h"

namespace issp {
namespace {

const char* check(const GraphNode& node, Tensors* tensors, Extent* made) {
  const int in = node.input(0), out = node.output();
  if (!tensors->is_image(in) || !tensors->is_new_image(out) ||
      tensors->channels(in) != tensors->channels(out) ||
      tensors->rank(in) != tensors->rank(out)) {
    return kOtherChannels;
  }
  const bool is_positive =
      node.node->parameters &&
      node.parameters<tflite::SoftmaxParameters>().beta > 0;
  if (!is_positive) return "its beta is not above 0";
  *made = tensors->extent(in);
  return nullptr;
}

std::string build(const GraphNode& node, Builder* builder) {
  const float beta = node.parameters<tflite::SoftmaxParameters>().beta;
  builder->across(node.input(0), kSoftmax, beta, node);
  return "";
}

}  // namespace

const Operator kSoftmaxes[] = {
    {tflite::kSoftmax, check, build, Operator::kEach},
    {},
};

}  // namespace issp
