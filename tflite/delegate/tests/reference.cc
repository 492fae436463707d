#include "reference.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "reference_moves.h"

namespace issp::testing {
namespace {

using Arrays = std::vector<const Array*>;

size_t place_in(const Shape& shape, int n, int y, int x, int c) {
  return ((size_t(n) * shape[1] + y) * shape[2] + x) * shape[3] + c;
}

double activated(int activation, double x) {
  switch (activation) {
    case tflite::kActivationRelu:
      return std::max(x, 0.);
    case tflite::kActivationReluN1To1:
      return std::clamp(x, -1., 1.);
    case tflite::kActivationRelu6:
      return std::clamp(x, 0., 6.);
  }
  return x;
}

// The parameters that both kinds of convolution share.
struct Window {
  int padding, stride_height, stride_width, dilation_height, dilation_width;
  int activation;
};

Window window_of(int code, const void* parameters) {
  if (code == tflite::kConv2D) {
    const auto& of = *static_cast<const tflite::ConvParameters*>(parameters);
    return {of.padding,         of.stride_height,  of.stride_width,
            of.dilation_height, of.dilation_width, of.activation};
  }
  const auto& of =
      *static_cast<const tflite::DepthwiseConvParameters*>(parameters);
  return {of.padding,         of.stride_height,  of.stride_width,
          of.dilation_height, of.dilation_width, of.activation};
}

int length(int in, int kernel, int stride, int dilation, int padding) {
  const int extent = (kernel - 1) * dilation + 1;
  if (padding == tflite::kSame) return (in + stride - 1) / stride;
  return in < extent ? 0 : (in - extent) / stride + 1;
}

int before(int in, int out, int kernel, int stride, int dilation,
           int padding) {
  if (padding != tflite::kSame) return 0;
  const int extent = (kernel - 1) * dilation + 1;
  return std::max((out - 1) * stride + extent - in, 0) / 2;
}

Array convolve(int code, const void* parameters, const Arrays& inputs,
               const Shape& shape) {
  const Array& in = *inputs[0];
  const Array& filter = *inputs[1];
  const Window window = window_of(code, parameters);
  const bool is_depthwise = code == tflite::kDepthwiseConv2D;
  const int rows = filter.shape[1], columns = filter.shape[2];
  const int outputs = shape[3], channels = in.shape[3];
  const int inner = is_depthwise ? 1 : filter.shape[3];
  const int groups = channels / inner;
  const int top = before(in.shape[1], shape[1], rows, window.stride_height,
                         window.dilation_height, window.padding);
  const int left = before(in.shape[2], shape[2], columns, window.stride_width,
                          window.dilation_width, window.padding);
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  for (int n = 0; n < shape[0]; ++n) {
    for (int y = 0; y < shape[1]; ++y) {
      for (int x = 0; x < shape[2]; ++x) {
        for (int o = 0; o < outputs; ++o) {
          const int first = o / (outputs / groups) * inner;
          double sum = inputs.size() > 2 ? inputs[2]->values[o] : 0;
          for (int i = 0; i < rows; ++i) {
            const int in_y = y * window.stride_height - top +
                             i * window.dilation_height;
            if (in_y < 0 || in_y >= in.shape[1]) continue;
            for (int j = 0; j < columns; ++j) {
              const int in_x = x * window.stride_width - left +
                               j * window.dilation_width;
              if (in_x < 0 || in_x >= in.shape[2]) continue;
              for (int c = 0; c < inner; ++c) {
                const double weight = is_depthwise ? filter.at(0, i, j, o)
                                                   : filter.at(o, i, j, c);
                sum += weight * in.at(n, in_y, in_x, first + c);
              }
            }
          }
          out.at(n, y, x, o) = activated(window.activation, sum);
        }
      }
    }
  }
  return out;
}

Array connect(const void* parameters, const Arrays& inputs,
              const Shape& shape) {
  const auto& of =
      *static_cast<const tflite::FullyConnectedParameters*>(parameters);
  const int channels = inputs[0]->shape.back(), outputs = shape.back();
  Array out{shape, {}};
  for (int64_t n = 0; n < size_of(shape) / outputs; ++n) {
    for (int o = 0; o < outputs; ++o) {
      double sum = inputs.size() > 2 ? inputs[2]->values[o] : 0;
      for (int c = 0; c < channels; ++c) {
        sum += inputs[1]->values[size_t(o) * channels + c] *
               inputs[0]->values[size_t(n) * channels + c];
      }
      out.values.push_back(activated(of.activation, sum));
    }
  }
  return out;
}

// The place in an array of the number at `place` after broadcasting to `shape`.
size_t repeated_place(const Shape& of, const Shape& shape, size_t place) {
  size_t found = 0, step = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t at = place % shape[shape.size() - 1 - i];
    place /= shape[shape.size() - 1 - i];
    if (i >= of.size()) continue;
    const int size = of[of.size() - 1 - i];
    if (size > 1) found += at * step;
    step *= size;
  }
  return found;
}

Array combine(const Arrays& inputs, const Shape& shape, int activation,
              const std::function<double(double, double)>& function) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  for (size_t i = 0; i < out.values.size(); ++i) {
    const Array &a = *inputs[0], &b = *inputs[1];
    out.values[i] = activated(
        activation, function(a.values[repeated_place(a.shape, shape, i)],
                             b.values[repeated_place(b.shape, shape, i)]));
  }
  return out;
}

Array map(const Array& in, const std::function<double(double)>& function) {
  Array out = in;
  for (double& value : out.values) value = function(value);
  return out;
}

Array shuffle(const Array& in, const Shape& shape, int block) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  for (int n = 0; n < shape[0]; ++n) {
    for (int y = 0; y < shape[1]; ++y) {
      for (int x = 0; x < shape[2]; ++x) {
        for (int c = 0; c < shape[3]; ++c) {
          const int place = y % block * block + x % block;
          out.at(n, y, x, c) =
              in.at(n, y / block, x / block, place * shape[3] + c);
        }
      }
    }
  }
  return out;
}

Array pad(const Array& in, const Array& by, const Shape& shape) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  const int top = int(by.values[2]), left = int(by.values[4]);
  for (int n = 0; n < in.shape[0]; ++n) {
    for (int y = 0; y < in.shape[1]; ++y) {
      for (int x = 0; x < in.shape[2]; ++x) {
        for (int c = 0; c < in.shape[3]; ++c) {
          out.at(n, y + top, x + left, c) = in.at(n, y, x, c);
        }
      }
    }
  }
  return out;
}

Array mean(const Array& in, const Shape& shape) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  const int channels = in.shape[3];
  const size_t pixels = size_t(in.shape[1]) * in.shape[2];
  for (size_t i = 0; i < in.values.size(); ++i) {
    const size_t image = i / (pixels * channels);
    out.values[image * channels + i % channels] += in.values[i];
  }
  for (double& value : out.values) value /= double(pixels);
  return out;
}

// Whether a mean is over the last dimension, and not over height and width.
bool is_of_channels(const Arrays& inputs) {
  return inputs.size() > 1 && inputs[1]->values.size() == 1;
}

Array mean_of_channels(const Array& in, const Shape& shape) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  const size_t channels = size_t(in.shape.back());
  for (size_t i = 0; i < in.values.size(); ++i) {
    out.values[i / channels] += in.values[i] / double(channels);
  }
  return out;
}

double gelu(double x, bool is_approximate) {
  if (!is_approximate) return x / 2 * std::erfc(-x / std::sqrt(2.));
  const double root = std::sqrt(2 / std::acos(-1.));
  return x / 2 * (1 + std::tanh(root * (x + 0.044715 * x * x * x)));
}

// Softmax over the last dimension.
Array softmax(const Array& in, double beta) {
  Array out = in;
  const size_t channels = size_t(in.shape.back());
  for (size_t i = 0; i < out.values.size(); i += channels) {
    const auto begin = out.values.begin() + long(i);
    const auto end = begin + long(channels);
    const double largest = *std::max_element(begin, end);
    std::for_each(begin, end, [&](double& x) {
      x = std::exp((x - largest) * beta);
    });
    const double sum = std::accumulate(begin, end, 0.);
    std::for_each(begin, end, [&](double& x) { x /= sum; });
  }
  return out;
}

// Resizes with half-pixel centers.
Array resize(const Array& in, const Shape& shape, bool is_bilinear) {
  Array out{shape, std::vector<double>(size_t(size_of(shape)))};
  const auto taps = [&](int at, int size, int of, int* a, int* b) {
    const double place = (at + 0.5) * of / size - (is_bilinear ? 0.5 : 0);
    *a = std::clamp(int(std::floor(place)), 0, of - 1);
    *b = std::clamp(int(std::floor(place)) + 1, 0, of - 1);
    return is_bilinear ? place - std::floor(place) : 0;
  };
  for (int n = 0; n < shape[0]; ++n) {
    for (int y = 0; y < shape[1]; ++y) {
      for (int x = 0; x < shape[2]; ++x) {
        int y0, y1, x0, x1;
        const double v = taps(y, shape[1], in.shape[1], &y0, &y1);
        const double u = taps(x, shape[2], in.shape[2], &x0, &x1);
        for (int c = 0; c < shape[3]; ++c) {
          out.at(n, y, x, c) = (1 - v) * (1 - u) * in.at(n, y0, x0, c) +
                               (1 - v) * u * in.at(n, y0, x1, c) +
                               v * (1 - u) * in.at(n, y1, x0, c) +
                               v * u * in.at(n, y1, x1, c);
        }
      }
    }
  }
  return out;
}

Shape larger(const Shape& a, const Shape& b) {
  Shape shape = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  for (size_t i = 0; i < other.size(); ++i) {
    int& size = shape[shape.size() - other.size() + i];
    size = std::max(size, other[i]);
  }
  return shape;
}

int elementwise_activation(const void* parameters) {
  return static_cast<const tflite::ElementwiseParameters*>(parameters)
      ->activation;
}

}  // namespace

int64_t size_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<int64_t>());
}

double Array::at(int n, int y, int x, int c) const {
  return values[place_in(shape, n, y, x, c)];
}

double& Array::at(int n, int y, int x, int c) {
  return values[place_in(shape, n, y, x, c)];
}

Shape shape_of(int code, const void* parameters, const Arrays& inputs,
               int output, int outputs) {
  if (is_move(code)) {
    return moved_shape(code, parameters, inputs, output, outputs);
  }
  const Shape& in = inputs[0]->shape;
  switch (code) {
    case tflite::kConv2D:
    case tflite::kDepthwiseConv2D: {
      const Window of = window_of(code, parameters);
      const Shape& filter = inputs[1]->shape;
      return {in[0],
              length(in[1], filter[1], of.stride_height, of.dilation_height,
                     of.padding),
              length(in[2], filter[2], of.stride_width, of.dilation_width,
                     of.padding),
              code == tflite::kConv2D ? filter[0] : filter[3]};
    }
    case tflite::kFullyConnected: {
      Shape shape = in;
      shape.back() = inputs[1]->shape[0];
      return shape;
    }
    case tflite::kAdd:
    case tflite::kMul:
    case tflite::kSub:
    case tflite::kMaximum:
    case tflite::kMinimum:
    case tflite::kSquaredDifference:
      return larger(in, inputs[1]->shape);
    case tflite::kDepthToSpace: {
      const int block =
          static_cast<const tflite::DepthToSpaceParameters*>(parameters)
              ->block_size;
      return {in[0], in[1] * block, in[2] * block, in[3] / (block * block)};
    }
    case tflite::kPad: {
      const std::vector<double>& by = inputs[1]->values;
      return {in[0], in[1] + int(by[2] + by[3]), in[2] + int(by[4] + by[5]),
              in[3]};
    }
    case tflite::kMean: {
      if (is_of_channels(inputs)) {
        Shape shape = in;
        shape.back() = 1;
        return shape;
      }
      const bool keeps =
          static_cast<const tflite::ReducerParameters*>(parameters)
              ->keep_dimensions;
      return keeps ? Shape{in[0], 1, 1, in[3]} : Shape{in[0], in[3]};
    }
    case tflite::kResizeBilinear:
    case tflite::kResizeNearestNeighbor: {
      const std::vector<double>& to = inputs[1]->values;
      return {in[0], int(to[0]), int(to[1]), in[3]};
    }
  }
  return in;
}

Array compute(int code, const void* parameters, const Arrays& inputs,
              int output, int outputs) {
  if (is_move(code)) return moved(code, parameters, inputs, output, outputs);
  const Array& in = *inputs[0];
  const Shape shape = shape_of(code, parameters, inputs);
  switch (code) {
    case tflite::kConv2D:
    case tflite::kDepthwiseConv2D:
      return convolve(code, parameters, inputs, shape);
    case tflite::kFullyConnected:
      return connect(parameters, inputs, shape);
    case tflite::kAdd:
      return combine(inputs, shape, elementwise_activation(parameters),
                     std::plus<double>());
    case tflite::kSub:
      return combine(inputs, shape, elementwise_activation(parameters),
                     std::minus<double>());
    case tflite::kMul:
      return combine(inputs, shape, elementwise_activation(parameters),
                     std::multiplies<double>());
    case tflite::kMaximum:
      return combine(inputs, shape, tflite::kNoActivation,
                     [](double a, double b) { return std::max(a, b); });
    case tflite::kMinimum:
      return combine(inputs, shape, tflite::kNoActivation,
                     [](double a, double b) { return std::min(a, b); });
    case tflite::kSquaredDifference:
      return combine(inputs, shape, tflite::kNoActivation,
                     [](double a, double b) { return (a - b) * (a - b); });
    case tflite::kPrelu:
      return combine(inputs, shape, tflite::kNoActivation,
                     [](double x, double a) { return x < 0 ? a * x : x; });
    case tflite::kDepthToSpace:
      return shuffle(
          in, shape,
          static_cast<const tflite::DepthToSpaceParameters*>(parameters)
              ->block_size);
    case tflite::kPad:
      return pad(in, *inputs[1], shape);
    case tflite::kMean:
      return is_of_channels(inputs) ? mean_of_channels(in, shape)
                                    : mean(in, shape);
    case tflite::kRsqrt:
      return map(in, [](double x) { return 1 / std::sqrt(x); });
    case tflite::kGelu: {
      const bool is_approximate =
          static_cast<const tflite::GeluParameters*>(parameters)->approximate;
      return map(in, [=](double x) { return gelu(x, is_approximate); });
    }
    case tflite::kResizeBilinear:
      return resize(in, shape, true);
    case tflite::kResizeNearestNeighbor:
      return resize(in, shape, false);
    case tflite::kLogistic:
      return map(in, [](double x) { return 1 / (1 + std::exp(-x)); });
    case tflite::kRelu:
      return map(in, [](double x) { return std::max(x, 0.); });
    case tflite::kRelu6:
      return map(in, [](double x) { return std::clamp(x, 0., 6.); });
    case tflite::kReluN1To1:
      return map(in, [](double x) { return std::clamp(x, -1., 1.); });
    case tflite::kRelu0To1:
      return map(in, [](double x) { return std::clamp(x, 0., 1.); });
    case tflite::kSoftmax:
      return softmax(
          in, static_cast<const tflite::SoftmaxParameters*>(parameters)->beta);
    case kNegate:
      return map(in, std::negate<double>());
    case tflite::kLeakyRelu: {
      const double slope =
          static_cast<const tflite::LeakyReluParameters*>(parameters)->alpha;
      return map(in, [=](double x) { return x < 0 ? slope * x : x; });
    }
  }
  return in;  // DENSIFY and DEQUANTIZE.
}

}  // namespace issp::testing
