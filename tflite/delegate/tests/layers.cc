#include "layers.h"

#include <algorithm>

namespace issp::testing {
namespace {

using Elementwise = tflite::ElementwiseParameters;

// Random weights. With a sparsity of 1, there is usually one non-zero.
Array filter_of(const Shape& shape, double sparsity, Random* random) {
  Array filter = random_array(shape, sparsity, random);
  if (sparsity == 1 && random->below(4)) {
    filter.values[size_t(random->below(int(filter.values.size())))] = 0.5;
  }
  return filter;
}

// Gives the filters of each group of `alike` the places of the first one.
void align(Array* filter, int alike) {
  const size_t size = filter->values.size() / size_t(filter->shape[0]);
  for (int o = 0; o < filter->shape[0]; ++o) {
    for (size_t i = 0; i < size; ++i) {
      double& value = filter->values[size_t(o) * size + i];
      const double first = filter->values[size_t(o - o % alike) * size + i];
      if (first == 0) {
        value = 0;
      } else if (value == 0) {
        value = 0.25;
      }
    }
  }
}

int weights(Model* model, const Array& filter, const Convolution& of) {
  Encoding encoding;
  if (of.is_sparse) encoding = converter_encoding(filter.shape, of.type);
  encoding.type = of.type;
  if (of.type == tflite::kInt8) encoding.scales = {0.01f};
  return model->unpacked(filter, encoding);
}

std::vector<int> operands(Model* model, int tensor, const Array& filter,
                          const Convolution& of, int outputs,
                          Random* random) {
  std::vector<int> inputs{tensor, weights(model, filter, of)};
  if (of.has_bias) {
    inputs.push_back(model->constant(random_array({outputs}, 0.2, random)));
  }
  return inputs;
}

// Makes a random network. `alike_` are tensors with the same size and channels,
// which can be added.
class Maker {
 public:
  Maker(Model* model, int input, bool is_dynamic, Random* random)
      : model_(*model),
        is_dynamic_(is_dynamic),
        random_(*random),
        last_(input),
        alike_{input} {}

  void make(int layers) {
    for (int i = 0; i < layers; ++i) add_layer();
    model_.output(last_);
    // Sometimes an inner tensor is an output too.
    if (!made_.empty() && random_.chance(0.3)) {
      const int other = random_.of(made_);
      if (other != last_) model_.output(other);
    }
  }

 private:
  int channels() const { return model_.shape(last_)[3]; }

  void follow(int tensor) {
    const bool is_alike = model_.shape(tensor) == model_.shape(last_);
    if (!is_alike) alike_.clear();
    last_ = tensor;
    made_.push_back(tensor);
    alike_.push_back(tensor);
  }

  Array by_channel() {
    return random_array({channels()}, 0, &random_);
  }

  int activation() { return random_.chance(0.5) ? 0 : random_.below(4); }

  Convolution convolution() {
    Convolution of;
    of.rows = random_.of<int>({1, 3, 3, 5});
    of.columns = random_.of<int>({1, 3, 3, 5});
    of.sparsity = random_.of<double>({0, 0.5, 0.9, 0.98});
    of.activation = activation();
    of.dilation = random_.chance(0.8) ? 1 : 2;
    of.is_sparse = random_.below(2);
    of.alike = random_.of<int>({1, 1, 2, 5});
    of.type = random_.of<int>(
        {tflite::kFloat32, tflite::kFloat32, tflite::kFloat16});
    return of;
  }

  void add_layer() {
    const Shape shape = model_.shape(last_);
    switch (random_.below(13)) {
      case 0:
      case 1:
      case 2: {
        Convolution of = convolution();
        // Mostly the same channels, so that tensors can be added.
        of.outputs = random_.chance(0.6) ? channels() : random_.between(1, 20);
        follow(convolve(&model_, last_, of, &random_));
        return;
      }
      case 3: {
        Convolution of = convolution();
        const int outputs = channels() * random_.between(1, 2);
        of.outputs = outputs < 40 ? outputs : channels();
        follow(convolve_depthwise(&model_, last_, of, &random_));
        return;
      }
      case 4:
        follow(testing::add(&model_, last_, random_.of(alike_), activation()));
        return;
      case 5:
        follow(multiply(&model_, random_.of(alike_), last_, activation()));
        return;
      case 6: {
        // Like squeeze-and-excitation.
        int pixel = model_.node(
            tflite::kMean, {last_, model_.integers({1, 2})},
            tflite::ReducerParameters{true});
        Convolution of;
        of.rows = of.columns = 1;
        of.outputs = channels();
        pixel = convolve(&model_, pixel, of, &random_);
        pixel = model_.node(tflite::kLogistic, {pixel});
        follow(random_.below(2) ? multiply(&model_, last_, pixel)
                                : multiply(&model_, pixel, last_));
        return;
      }
      case 7: {
        Convolution of = convolution();
        of.padding = tflite::kValid;
        of.dilation = 1;
        of.outputs = random_.between(1, 20);
        const int y = of.rows / 2, x = of.columns / 2;
        const int padded = model_.node(
            tflite::kPad, {last_, model_.integers({0, 0, y, y, x, x, 0, 0})});
        follow(convolve(&model_, padded, of, &random_));
        // The delegate cannot know that the size is the same as before.
        alike_ = {last_};
        return;
      }
      case 8: {
        const int block = random_.of<int>({2, 2, 3});
        if (shape[1] * block > 40 || shape[2] * block > 80) return;
        Convolution of = convolution();
        of.outputs = block * block * random_.between(1, 5);
        follow(shuffle(&model_, convolve(&model_, last_, of, &random_),
                       block));
        return;
      }
      case 9: {
        const int factor = random_.between(2, 3);
        const bool fits = shape[1] * factor <= 40 && shape[2] * factor <= 80;
        if (is_dynamic_ || !fits) return;
        follow(model_.node(
            random_.below(2) ? tflite::kResizeBilinear
                             : tflite::kResizeNearestNeighbor,
            {last_,
             model_.integers({shape[1] * factor, shape[2] * factor})},
            tflite::ResizeParameters{false, true}));
        return;
      }
      case 10: {
        Convolution of = convolution();
        of.stride = 2;
        of.outputs = random_.between(1, 20);
        if (shape[1] < 4 || shape[2] < 4) return;
        follow(convolve(&model_, last_, of, &random_));
        return;
      }
      case 11:
        if (random_.chance(0.7)) return;
        follow(model_.node(kNegate, {last_}));
        return;
      case 12:
        add_function();
    }
  }

  void add_function() {
    const int constant =
        model_.constant(random_.below(2) ? by_channel() : Array{{1}, {0.4}});
    const Elementwise parameters{activation()};
    switch (random_.below(8)) {
      case 0:
        follow(model_.node(tflite::kPrelu,
                           {last_, model_.constant(by_channel())}));
        return;
      case 1:
        follow(model_.node(tflite::kLeakyRelu, {last_},
                           tflite::LeakyReluParameters{0.2f}));
        return;
      case 2:
        follow(model_.node(tflite::kMul, {constant, last_}, parameters));
        return;
      case 3:
        follow(model_.node(tflite::kSub, {last_, constant}, parameters));
        return;
      case 4:
        follow(model_.node(tflite::kAdd, {last_, constant}, parameters));
        return;
      case 5:
        follow(model_.node(random_.below(2) ? tflite::kMinimum
                                            : tflite::kMaximum,
                           {last_, model_.constant({{1}, {0.3}})}));
        return;
      case 6:
        follow(model_.node(
            random_.of<int>({tflite::kRelu, tflite::kRelu6,
                             tflite::kReluN1To1, tflite::kRelu0To1}),
            {last_}));
        return;
      case 7:
        follow(model_.node(tflite::kSoftmax, {last_},
                           tflite::SoftmaxParameters{1.5f}));
    }
  }

  Model& model_;
  const bool is_dynamic_;
  Random& random_;
  int last_;
  std::vector<int> alike_;
  std::vector<int> made_;
};

}  // namespace

int convolve(Model* model, int tensor, const Convolution& of, Random* random) {
  const int inner = model->shape(tensor)[3] / of.groups;
  Array filter = filter_of({of.outputs, of.rows, of.columns, inner},
                           of.sparsity, random);
  align(&filter, of.alike);
  return model->node(
      tflite::kConv2D, operands(model, tensor, filter, of, of.outputs, random),
      tflite::ConvParameters{of.padding, of.stride, of.stride, of.activation,
                             of.dilation, of.dilation});
}

int convolve_depthwise(Model* model, int tensor, const Convolution& of,
                       Random* random) {
  const Array filter = filter_of({1, of.rows, of.columns, of.outputs},
                                 of.sparsity, random);
  return model->node(
      tflite::kDepthwiseConv2D,
      operands(model, tensor, filter, of, of.outputs, random),
      tflite::DepthwiseConvParameters{of.padding, of.stride, of.stride,
                                      of.outputs / model->shape(tensor)[3],
                                      of.activation, of.dilation,
                                      of.dilation});
}

int sparse_kernel(Model* model, const Shape& shape, double sparsity,
                  Random* random) {
  return model->unpacked(random_array(shape, sparsity, random),
                         converter_encoding(shape, tflite::kFloat32));
}

int add(Model* model, int a, int b, int activation) {
  return model->node(tflite::kAdd, {a, b}, Elementwise{activation});
}

int multiply(Model* model, int a, int b, int activation) {
  return model->node(tflite::kMul, {a, b}, Elementwise{activation});
}

int shuffle(Model* model, int tensor, int block) {
  return model->node(tflite::kDepthToSpace, {tensor},
                     tflite::DepthToSpaceParameters{block});
}

void random_network(Model* model, int input, int layers, bool is_dynamic,
                   Random* random) {
  Maker(model, input, is_dynamic, random).make(layers);
}

Array random_image(const Shape& shape, Random* random) {
  return random_array(shape, 0, random);
}

}  // namespace issp::testing
