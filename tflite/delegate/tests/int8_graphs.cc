#include "int8_graphs.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace issp::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

// Adds random layers to a graph.
class Maker {
 public:
  Maker(Int8Graph* graph, uint64_t seed, bool is_hostile)
      : graph_(*graph), random_(seed), is_hostile_(is_hostile) {}

  void make() {
    last_ = graph_.model.input(
        {random_.between(1, 2), random_.between(1, 12), random_.between(1, 40),
         random_.between(1, 9)});
    graph_.images.push_back(last_);
    graph_.numbers[last_] = of_image();
    for (int i = random_.between(1, 4); i > 0; --i) {
      convolve();
      for (int j = random_.below(3); j > 0; --j) add_layer();
    }
    graph_.model.output(last_);
  }

 private:
  Numbers of_image() {
    return {{float(0.01 + random_.uniform())}, {random_.between(-128, 127)}};
  }

  int channels() const { return graph_.model.shape(last_)[3]; }

  void follow(int tensor, const Numbers& made) {
    graph_.numbers[tensor] = made;
    graph_.images.push_back(tensor);
    last_ = tensor;
  }

  int constant(const Shape& shape, int scales) {
    Encoding encoding;
    encoding.type = tflite::kInt8;
    Numbers made;
    for (int i = 0; i < scales; ++i) {
      encoding.scales.push_back(float(0.002 + 0.01 * random_.uniform()));
    }
    made.scales = encoding.scales;
    made.zero_points.assign(scales, 0);
    const bool is_sparse = shape.size() == 4 && random_.chance(0.5);
    if (is_sparse) {
      const std::vector<float> all = encoding.scales;
      encoding = converter_encoding(shape, tflite::kInt8);
      encoding.scales = all;
    }
    const Array array = random_array(shape, 0.7, &random_);
    int tensor = graph_.model.constant(array, encoding);
    graph_.numbers[tensor] = made;
    if (is_sparse) {
      graph_.sparse.push_back(tensor);
      tensor = graph_.model.node(tflite::kDensify, {tensor});
      graph_.numbers[tensor] = made;
    }
    return tensor;
  }

  void convolve(int outputs = 0) {
    if (!outputs) outputs = random_.chance(0.5) ? channels()
                                                : random_.between(1, 9);
    const int side = random_.of<int>({1, 2, 3});
    const int activation = random_.below(4);
    const bool is_depthwise = outputs == channels() && random_.chance(0.2);
    const Shape shape =
        is_depthwise ? Shape{1, side, side, outputs}
                     : Shape{outputs, side, side, channels()};
    // Scales by output are in the first dimension.
    const int scales = is_depthwise || random_.below(2) ? 1 : outputs;
    graph_.kernels.push_back(constant(shape, scales));
    std::vector<int> inputs{last_, graph_.kernels.back()};
    if (random_.chance(0.8)) {
      std::vector<int> bias;
      for (int i = 0; i < outputs; ++i) {
        bias.push_back(random_.between(-3000, 3000));
      }
      graph_.biases.push_back(graph_.model.integers(bias));
      inputs.push_back(graph_.biases.back());
    }
    follow(is_depthwise
               ? graph_.model.node(tflite::kDepthwiseConv2D, inputs,
                            tflite::DepthwiseConvParameters{
                                tflite::kSame, 1, 1, 1, activation, 1, 1})
               : graph_.model.node(tflite::kConv2D, inputs,
                            tflite::ConvParameters{tflite::kSame, 1, 1,
                                                   activation, 1, 1}),
           of_image());
  }

  float slope() {
    return is_hostile_ && random_.chance(0.5)
               ? random_.of<float>({kNan, kInfinite, -kInfinite, 3e38f, 1e-40f})
               : 0.2f;
  }

  void add_layer() {
    const tflite::ElementwiseParameters parameters{random_.below(4)};
    const Numbers same = graph_.numbers[last_];
    switch (random_.below(10)) {
      case 0: {
        const int before = last_;
        convolve(channels());
        follow(graph_.model.node(tflite::kAdd, {last_, before}, parameters),
               of_image());
        return;
      }
      case 1: {
        const int before = last_;
        convolve(channels());
        follow(graph_.model.node(tflite::kMul, {before, last_}, parameters),
               of_image());
        return;
      }
      case 2:
      case 3: {
        const int code = random_.of<int>({tflite::kAdd, tflite::kMul,
                                          tflite::kSub});
        graph_.kernels.push_back(constant({channels()}, 1));
        follow(graph_.model.node(code, {last_, graph_.kernels.back()}, parameters),
               of_image());
        return;
      }
      case 4:
        graph_.kernels.push_back(constant({channels()}, 1));
        follow(graph_.model.node(tflite::kPrelu, {last_, graph_.kernels.back()}),
               of_image());
        return;
      case 5:
        follow(graph_.model.node(tflite::kLeakyRelu, {last_},
                          tflite::LeakyReluParameters{slope()}),
               of_image());
        return;
      case 6:
        follow(graph_.model.node(tflite::kRelu, {last_}), of_image());
        return;
      case 7:
        follow(graph_.model.node(tflite::kConcatenation, {last_, last_},
                          tflite::ConcatenationParameters{3, 0}),
               same);
        return;
      case 8: {
        const int image = last_;
        int pixel = graph_.model.node(tflite::kMean,
                               {image, graph_.model.integers({1, 2})},
                               tflite::ReducerParameters{true});
        follow(pixel, of_image());
        pixel = graph_.model.node(tflite::kLogistic, {pixel});
        follow(pixel, of_image());
        follow(graph_.model.node(tflite::kMul, {image, pixel}, parameters),
               of_image());
        return;
      }
      case 9: {
        if (graph_.model.shape(last_)[1] > 20) return;
        convolve(4 * random_.between(1, 3));
        const Numbers of = graph_.numbers[last_];
        follow(graph_.model.node(tflite::kDepthToSpace, {last_},
                          tflite::DepthToSpaceParameters{2}),
               of);
      }
    }
  }

  Int8Graph& graph_;
  Random random_;
  const bool is_hostile_;
  int last_ = -1;
};

}  // namespace

Quantised::Quantised(const Numbers& of, tflite::Tensor* tensor)
    : scales_(static_cast<tflite::FloatArray*>(
          std::malloc(sizeof(int) + sizeof(float) * of.scales.size()))),
      zero_points_(new_integers(of.zero_points)) {
  scales_->size = int(of.scales.size());
  std::copy(of.scales.begin(), of.scales.end(), scales_->data);
  // All bytes are read, including padding.
  std::memset(&affine_, 0, sizeof(affine_));
  affine_.scale = of.has_scales ? scales_.get() : nullptr;
  affine_.zero_point = of.has_zero_points ? zero_points_.get() : nullptr;
  affine_.dimension = of.dimension;
  tensor->quantization.type =
      of.is_affine ? tflite::kAffine : tflite::kNoQuantization;
  tensor->quantization.parameters = of.has_parameters ? &affine_ : nullptr;
}

Int8Graph::Int8Graph(uint64_t seed, bool is_hostile) {
  Maker(this, seed, is_hostile).make();
}

std::vector<std::unique_ptr<Quantised>> quantise(
    const std::map<int, Numbers>& numbers, Interpreter* interpreter) {
  std::vector<std::unique_ptr<Quantised>> kept;
  for (const auto& [i, of] : numbers) {
    tflite::Tensor& tensor = interpreter->tensor(i);
    tensor.type = tflite::kInt8;
    kept.push_back(std::make_unique<Quantised>(of, &tensor));
  }
  return kept;
}

}  // namespace issp::testing
