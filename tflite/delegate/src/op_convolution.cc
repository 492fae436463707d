// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "activation.h"
#include "operators.h"
#include "sort.h"

namespace issp {
namespace {

// The speed of TFLite's dynamic-range kernels relative to float32. They
// multiply int8 weights with images that they quantize on the fly.
constexpr double kInt8Speed = 3.5;
constexpr int kLargestStride = 8;
constexpr int kLargestKernel = 255;
constexpr float kLargestMultiplier = 256;

int activation_of(const GraphNode& node) {
  switch (node.code) {
    case tflite::kConv2D:
      return node.parameters<tflite::ConvParameters>().activation;
    case tflite::kDepthwiseConv2D:
      return node.parameters<tflite::DepthwiseConvParameters>().activation;
    default:
      return node.parameters<tflite::FullyConnectedParameters>().activation;
  }
}

struct Window {
  Size stride;
  Size dilation;
  bool same;
};

Window window_of(const GraphNode& node) {
  if (node.code == tflite::kFullyConnected) return {{1, 1}, {1, 1}, false};
  if (node.code == tflite::kConv2D) {
    const auto& of = node.parameters<tflite::ConvParameters>();
    return {{of.stride_height, of.stride_width},
            {of.dilation_height, of.dilation_width},
            of.padding == tflite::kSame};
  }
  const auto& of = node.parameters<tflite::DepthwiseConvParameters>();
  return {{of.stride_height, of.stride_width},
          {of.dilation_height, of.dilation_width},
          of.padding == tflite::kSame};
}

// The output dimension of a kernel.
int dimension_of_outputs(const GraphNode& node) {
  return node.code == tflite::kDepthwiseConv2D ? 3 : 0;
}

// The multipliers of int8 sums by output, as in XNNPACK. Empty if the kernel
// has no scales.
std::vector<float> multipliers_of(const GraphNode& node,
                                  const Tensors& tensors) {
  const int outputs = tensors.channels(node.output());
  std::vector<float> multipliers = tensors.scales(
      node.input(1), dimension_of_outputs(node), outputs);
  const float in = tensors.quantization(node.input(0)).scale;
  const float out = tensors.quantization(node.output()).scale;
  for (float& number : multipliers) number = in * number / out;
  return multipliers;
}

const char* problem_of_int8(const GraphNode& node, const Tensors& tensors) {
  const int bias = node.input(2);
  const int outputs = tensors.channels(node.output());
  if (!tensors.is_int8(node.input(0))) return kNoImages;
  const std::vector<float> multipliers = multipliers_of(node, tensors);
  if (multipliers.empty()) {
    return "its kernel is no constant in int8 with a scale, or one an output";
  }
  for (float number : multipliers) {
    if (!(number > 0 && number < kLargestMultiplier)) {
      return "the scales of its kernel are out of range";
    }
  }
  if (bias >= 0 && !tensors.integers_of(bias, size_t(outputs))) {
    return "its bias is no constant in int32";
  }
  return nullptr;
}

const char* problem_of_floats(const GraphNode& node, const Tensors& tensors) {
  const int bias = node.input(2);
  const int outputs = tensors.channels(node.output());
  if (!tensors.is_constant(node.input(1))) {
    return "its kernel is no constant in float32, float16 or int8";
  }
  if (bias >= 0 && (!tensors.is_constant(bias) ||
                    !tensors.is_by_channel(bias, outputs))) {
    return "its bias is no constant";
  }
  return nullptr;
}

// Checks that convolutions and fully connected layers share.
const char* problem_of_weights(const GraphNode& node, const Tensors& tensors) {
  const char* problem = tensors.is_int8(node.output())
                            ? problem_of_int8(node, tensors)
                            : problem_of_floats(node, tensors);
  if (problem) return problem;
  if (!node.node->parameters || !has_bounds(activation_of(node))) {
    return "its activation is not of the ReLU family";
  }
  return nullptr;
}

const char* check_convolution(const GraphNode& node, Tensors* of_graph,
                              Extent* made) {
  const Tensors& tensors = *of_graph;
  const int in = node.input(0), out = node.output();
  if (!tensors.is_image(in) || !tensors.is_new_image(out) ||
      tensors.rank(in) != 4 || tensors.rank(out) != 4) {
    return kNoImages;
  }
  if (const char* problem = problem_of_weights(node, tensors)) return problem;
  const Window window = window_of(node);
  for (int n : {window.stride.height, window.stride.width,
                window.dilation.height, window.dilation.width}) {
    if (n < 1 || n > kLargestStride) return "its stride or dilation is over 8";
  }
  const tflite::IntArray& shape = *tensors.at(node.input(1)).shape;
  if (shape.size != 4) return "its kernel has no 4 dimensions";
  for (int n : {shape.data[1], shape.data[2]}) {
    if (n < 1 || n > kLargestKernel) return "its kernel is over 255";
  }
  const int inputs = tensors.channels(in), outputs = tensors.channels(out);
  const int inner = shape.data[3];
  const bool fits =
      node.code == tflite::kConv2D
          ? shape.data[0] == outputs && inner > 0 && inputs % inner == 0 &&
                outputs % (inputs / inner) == 0
          : shape.data[0] == 1 && inner == outputs && outputs % inputs == 0;
  if (!fits) return "its kernel does not fit its channels";
  *made = tensors.extent(in);
  if (window.stride != Size{1, 1} || !window.same) {
    made->name = "(" + made->name + " by " +
                 std::to_string(window.stride.height) + " " +
                 std::to_string(window.stride.width) +
                 (window.same ? "" : " of " + std::to_string(out)) + ")";
  }
  return nullptr;
}

// For images, FULLY_CONNECTED is a convolution. For other tensors with channels
// last, it computes lists of pixels.
const char* check_fully_connected(const GraphNode& node, Tensors* of_graph,
                                  Extent* made) {
  const Tensors& tensors = *of_graph;
  const int in = node.input(0), out = node.output();
  if (!tensors.may_be_list(in) || !tensors.may_be_list(out)) {
    return "it does not compute in float32 or int8";
  }
  if (const char* problem = problem_of_weights(node, tensors)) return problem;
  const tflite::IntArray& shape = *tensors.at(node.input(1)).shape;
  const bool fits = shape.size == 2 &&
                    shape.data[0] == tensors.channels(out) &&
                    shape.data[0] <= kLargestChannels &&
                    shape.data[1] == tensors.channels(in) &&
                    shape.data[1] > 0 && shape.data[1] <= kLargestChannels;
  if (!fits) return "its kernel does not fit its channels";
  const auto& of = node.parameters<tflite::FullyConnectedParameters>();
  if (tensors.rank(out) != (of.keep_dimensions ? tensors.rank(in) : 2)) {
    return "its output has other dimensions";
  }
  if (tensors.is_image(in) && tensors.rank(in) == tensors.rank(out)) {
    *made = tensors.extent(in);
    return nullptr;
  }
  if (tensors.is_image(in)) return "it makes a list of pixels of an image";
  of_graph->add_list(in);
  of_graph->add_list(out);
  return nullptr;
}

// The non-zeros of a filter, as for a convolution over all channels.
std::vector<Nonzero> weights_of(const Constant& filter, bool is_depthwise,
                                int inputs, int outputs, const Size& kernel) {
  const int inner = filter.shape.back();
  const int groups = is_depthwise ? inputs : inputs / inner;
  std::vector<Nonzero> weights;
  for (size_t i = 0; i < filter.places.size(); ++i) {
    int64_t place = filter.places[i];
    Nonzero weight;
    weight.value = filter.values[i];
    weight.channel = int(place % inner);
    place /= inner;
    weight.column = int(place % kernel.width);
    place /= kernel.width;
    weight.row = int(place % kernel.height);
    weight.output = int(place / kernel.height);
    if (is_depthwise) {
      weight.output = weight.channel;
      weight.channel = weight.output / (outputs / inputs);
    } else {
      weight.channel += weight.output / (outputs / groups) * inner;
    }
    weights.push_back(weight);
  }
  sort_weights(&weights);
  return weights;
}

std::string build(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  Operation of;
  of.kind = Operation::kLinear;
  of.name = builder->name_of(node);
  const int source = builder->unpadded(node.input(0), &of.padding);
  Constant filter;
  const bool is_int8 = builder->is_int8(node);
  const std::string error =
      tensors.read(node.input(1), &filter,
                   is_int8 ? Numbers::kStored : Numbers::kReal);
  if (!error.empty()) return error;
  const int outputs = tensors.channels(node.output());
  const Operator& entry = *find_operator(node, tensors);
  of.input = is_pixelwise(node, entry, tensors) && source == node.input(0)
                 ? builder->held(source)
                 : builder->value_of(source);
  const Window window = window_of(node);
  of.stride = window.stride;
  of.dilation = window.dilation;
  of.padding.same = window.same;
  if (node.code != tflite::kFullyConnected) {
    of.kernel = {filter.shape[1], filter.shape[2]};
  }
  of.weights =
      weights_of(filter, node.code == tflite::kDepthwiseConv2D,
                 tensors.channels(source), outputs, of.kernel);
  of.dense = double(filter.size());
  if (!is_int8 && tensors.at(node.input(1)).type == tflite::kInt8) {
    of.dense_speed = kInt8Speed;
  }
  of.bias.assign(outputs, 0);
  if (is_int8) {
    of.int8.bias.assign(outputs, 0);
    if (node.input(2) >= 0) {
      const int32_t* bias =
          tensors.integers_of(node.input(2), size_t(outputs));
      of.int8.bias.assign(bias, bias + outputs);
    }
    of.int8.multipliers = multipliers_of(node, tensors);
    of.int8.zero_point = tensors.quantization(node.output()).zero_point;
  } else if (node.input(2) >= 0) {
    const std::string problem =
        builder->by_channel(node.input(2), outputs, &of.bias);
    if (!problem.empty()) return problem;
  }
  builder->activate(&builder->append(std::move(of), node),
                    activation_of(node));
  return "";
}

}  // namespace

const Operator kConvolutions[] = {
    {tflite::kConv2D, check_convolution, build, Operator::kConvolves,
     Operator::kAny},
    {tflite::kDepthwiseConv2D, check_convolution, build, Operator::kConvolves,
     Operator::kAny},
    {tflite::kFullyConnected, check_fully_connected, build, Operator::kEach,
     Operator::kAny},
    {},
};

}  // namespace issp
