// The steps of a layer normalization: (x - mean) / sqrt(variance + epsilon).
// The operation is built for the last step.

#include <string>
#include <vector>

#include "activation.h"
#include "operators.h"

namespace issp {
namespace {

constexpr char kNoStep[] =
    "it is not part of a known normalization over channels";

// If one input is a moment of this kind, the other input; or else -1.
int other_than(Moment::Kind kind, const GraphNode& node,
               const Tensors& tensors) {
  for (int i = 0; i < 2; ++i) {
    const Moment* moment = tensors.moment(node.input(i));
    if (moment && moment->kind == kind) return node.input(1 - i);
  }
  return -1;
}

bool is_of(int tensor, Moment::Kind kind, int image, const Tensors& tensors) {
  const Moment* moment = tensors.moment(tensor);
  return moment && moment->kind == kind && moment->image == image;
}

const char* check_difference(const GraphNode& node, Tensors* tensors,
                             Extent*) {
  const Moment* mean = tensors->moment(node.input(1));
  int image = node.input(0);
  if (!mean && node.code == tflite::kSquaredDifference) {
    mean = tensors->moment(image);
    image = node.input(1);
  }
  if (!mean || mean->kind != Moment::kMean || mean->image != image) {
    return kNoStep;
  }
  const bool squares = node.code == tflite::kSquaredDifference;
  if (!squares && !has_no_activation(node)) return kNoStep;
  tensors->set_moment(node.output(),
                      {squares ? Moment::kSquares : Moment::kCentered, image});
  return nullptr;
}

const char* check_mean(const GraphNode& node, Tensors* tensors, Extent*) {
  const int in = node.input(0), out = node.output();
  if (!is_mean_of_channels(node, *tensors) || !tensors->is_float(out) ||
      !tensors->at(out).shape || tensors->rank(out) != 4 ||
      tensors->channels(out) != 1) {
    return kNoStep;
  }
  if (const Moment* squares = tensors->moment(in)) {
    if (squares->kind != Moment::kSquares) return kNoStep;
    tensors->set_moment(out, {Moment::kVariance, squares->image});
    return nullptr;
  }
  if (!tensors->is_float(in) || !tensors->is_image(in) ||
      tensors->rank(in) != 4) {
    return kNoStep;
  }
  tensors->set_moment(out, {Moment::kMean, in});
  return nullptr;
}

const char* check_add(const GraphNode& node, Tensors* tensors, Extent*) {
  const int number = other_than(Moment::kVariance, node, *tensors);
  if (number < 0 || !has_no_activation(node) ||
      !tensors->is_constant(number) || !tensors->is_by_channel(number, 1)) {
    return kNoStep;
  }
  const int variance = node.input(0) == number ? node.input(1) : node.input(0);
  Constant epsilon;
  if (!tensors->read(number, &epsilon).empty()) return kNoStep;
  const float value = epsilon.dense()[0];
  // A smaller value would need the root of a denormal number.
  if (!(value >= 1e-30f && value <= 1e30f)) return kNoStep;
  Moment shifted = *tensors->moment(variance);
  shifted.kind = Moment::kShifted;
  shifted.epsilon = value;
  tensors->set_moment(node.output(), shifted);
  return nullptr;
}

const char* check_root(const GraphNode& node, Tensors* tensors, Extent*) {
  const Moment* shifted = tensors->moment(node.input(0));
  if (!shifted || shifted->kind != Moment::kShifted) return kNoStep;
  Moment inverse = *shifted;
  inverse.kind = Moment::kInverse;
  tensors->set_moment(node.output(), inverse);
  return nullptr;
}

// It may also square a centered image.
const char* check_multiply(const GraphNode& node, Tensors* tensors,
                           Extent* made) {
  const int a = node.input(0), b = node.input(1), out = node.output();
  if (!has_no_activation(node)) return kNoStep;
  const Moment* centered = tensors->moment(a);
  if (a == b && centered && centered->kind == Moment::kCentered) {
    tensors->set_moment(out, {Moment::kSquares, centered->image});
    return nullptr;
  }
  const int other = other_than(Moment::kInverse, node, *tensors);
  if (other < 0) return kNoStep;
  const int inverse = other == a ? b : a;
  const int image = tensors->moment(inverse)->image;
  if (!is_of(other, Moment::kCentered, image, *tensors) ||
      !tensors->is_new_image(out) || tensors->rank(out) != 4 ||
      tensors->channels(out) != tensors->channels(image)) {
    return kNoStep;
  }
  *made = tensors->extent(image);
  if (tensors->is_rearranged(image)) {
    tensors->set_view(out, *tensors->view(image));
    *made = {};
  }
  return nullptr;
}

std::string build_nothing(const GraphNode&, Builder*) { return ""; }

std::string build_multiply(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  if (tensors.moment(node.output())) return "";
  for (int i = 0; i < 2; ++i) {
    const Moment& moment = *tensors.moment(node.input(i));
    if (moment.kind != Moment::kInverse) continue;
    builder->across(moment.image, kNormalize, moment.epsilon, node);
  }
  return "";
}

}  // namespace

bool has_no_activation(const GraphNode& node) {
  return node.node->parameters &&
         node.parameters<tflite::ElementwiseParameters>().activation ==
             tflite::kNoActivation;
}

bool is_mean_of_channels(const GraphNode& node, const Tensors& tensors) {
  if (node.code != tflite::kMean || node.node->inputs->size != 2) return false;
  const int32_t* axis = tensors.integers_of(node.input(1), 1);
  return axis && (*axis == 3 || *axis == -1);
}

const Operator kNormalizations[] = {
    {tflite::kSub, check_difference, build_nothing, Operator::kMoves},
    {tflite::kSquaredDifference, check_difference, build_nothing,
     Operator::kMoves},
    {tflite::kMean, check_mean, build_nothing, Operator::kMoves},
    {tflite::kAdd, check_add, build_nothing, Operator::kMoves},
    {tflite::kRsqrt, check_root, build_nothing, Operator::kMoves},
    {tflite::kMul, check_multiply, build_multiply, Operator::kMoves},
    {},
};

}  // namespace issp
