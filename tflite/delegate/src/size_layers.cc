// Layers, of which only the shape is computed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "size_rules.h"

namespace issp {
namespace {

// The output length of a window for `in` pixels; 0 if it does not fit.
int windowed(int in, int window, int stride, int dilation, int padding) {
  if (stride < 1 || dilation < 1 || window < 1) return 0;
  if (padding == tflite::kSame) return (in - 1) / stride + 1;
  const int64_t extent = int64_t{window - 1} * dilation + 1;
  return in < extent ? 0 : int((in - extent) / stride) + 1;
}

template <class P>
Made convolution(const KnownNode& node, int channels_of_kernel) {
  const Shape *image = node.shape(0), *kernel = node.shape(1);
  const P* of = node.parameters<P>();
  if (!image || !kernel || !of || image->size() != 4 || kernel->size() != 4) {
    return std::nullopt;
  }
  const int height = windowed((*image)[1], (*kernel)[1], of->stride_height,
                              of->dilation_height, of->padding);
  const int width = windowed((*image)[2], (*kernel)[2], of->stride_width,
                             of->dilation_width, of->padding);
  if (height < 1 || width < 1) return std::nullopt;
  return of_shape(
      Shape{(*image)[0], height, width, (*kernel)[channels_of_kernel]});
}

Made fully_connected(const KnownNode& node) {
  const Shape *image = node.shape(0), *kernel = node.shape(1);
  const auto* of = node.parameters<tflite::FullyConnectedParameters>();
  if (!image || !kernel || !of || image->empty() || kernel->size() != 2 ||
      (*kernel)[1] < 1) {
    return std::nullopt;
  }
  Shape made = *image;
  if (of->keep_dimensions) {
    made.back() = (*kernel)[0];
    return of_shape(made);
  }
  const int64_t count = count_of(*image);
  if (count < 0) return std::nullopt;
  return of_shape(Shape{int(count / (*kernel)[1]), (*kernel)[0]});
}

Made batch_mat_mul(const KnownNode& node) {
  const Shape *a = node.shape(0), *b = node.shape(1);
  const auto* of = node.parameters<tflite::BatchMatMulParameters>();
  if (!a || !b || !of || a->size() < 2 || b->size() < 2) return std::nullopt;
  std::optional<Shape> made = broadcast(Shape(a->begin(), a->end() - 2),
                                        Shape(b->begin(), b->end() - 2));
  if (!made) return std::nullopt;
  made->push_back((*a)[a->size() - (of->adjoint_x ? 1 : 2)]);
  made->push_back((*b)[b->size() - (of->adjoint_y ? 2 : 1)]);
  return of_shape(made);
}

Made pad(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto by = from ? node.whole(1, 2 * int(from->size())) : std::nullopt;
  if (!by) return std::nullopt;
  Shape made = *from;
  for (size_t i = 0; i < made.size(); ++i) {
    const int64_t size =
        int64_t{made[i]} + (*by)[2 * i] + (*by)[2 * i + 1];
    if (size < 0 || size > std::numeric_limits<int>::max()) return std::nullopt;
    made[i] = int(size);
  }
  return of_shape(made);
}

Made depth_to_space(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto* of = node.parameters<tflite::DepthToSpaceParameters>();
  constexpr int kMostBlock = 256;
  if (!from || !of || from->size() != 4 || of->block_size < 1 ||
      of->block_size > kMostBlock ||
      std::max((*from)[1], (*from)[2]) > (1 << 22)) {
    return std::nullopt;
  }
  const int block = of->block_size;
  return of_shape(Shape{(*from)[0], (*from)[1] * block, (*from)[2] * block,
                        (*from)[3] / (block * block)});
}

Made resize(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto to = node.whole(1, 2);
  if (!from || !to || from->size() != 4) return std::nullopt;
  return of_shape(Shape{(*from)[0], (*to)[0], (*to)[1], (*from)[3]});
}

}  // namespace

Rule rule_of_layer(int code) {
  switch (code) {
    case tflite::kConv2D:
      return [](const KnownNode& node) {
        return convolution<tflite::ConvParameters>(node, 0);
      };
    case tflite::kDepthwiseConv2D:
      return [](const KnownNode& node) {
        return convolution<tflite::DepthwiseConvParameters>(node, 3);
      };
    case tflite::kFullyConnected:
      return fully_connected;
    case tflite::kBatchMatMul:
      return batch_mat_mul;
    case tflite::kLogistic:
    case tflite::kRelu:
    case tflite::kReluN1To1:
    case tflite::kRelu6:
    case tflite::kRelu0To1:
    case tflite::kLeakyRelu:
    case tflite::kPrelu:
    case tflite::kGelu:
    case tflite::kRsqrt:
    case tflite::kSoftmax:
    case tflite::kQuantize:
    case tflite::kDensify:
      return same;
    case tflite::kPad:
      return pad;
    case tflite::kDepthToSpace:
      return depth_to_space;
    case tflite::kResizeBilinear:
    case tflite::kResizeNearestNeighbor:
      return resize;
    default:
      return nullptr;
  }
}

}  // namespace issp
