// Single layers of all shapes, with all kernels that this CPU runs.

#include <cmath>

#include "fake_runtime.h"
#include "kernels.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

// Runs a model with different threads and cache sizes. All results must be
// right. With the same kernels, they must be equal bit for bit.
void check_all(const Model& model, const Array& image,
               const std::string& what) {
  const std::map<int, Array> inputs{{model.inputs[0], image}};
  const Expected expected(model, inputs);
  for (const std::string& kernels : kernel_names()) {
    std::vector<std::vector<float>> first;
    for (const char* threads : {"1", "3"}) {
      for (const char* cache : {"1", "1000000"}) {
        const auto outputs = check(model, inputs, expected,
                                   {{"kernels", kernels},
                                    {"num_threads", threads},
                                    {"cache_bytes", cache}},
                                   0, what);
        if (first.empty()) first = outputs;
        EXPECT(outputs == first) << what << " with " << kernels << ", "
                                 << threads << " threads and " << cache
                                 << " bytes differs from 1 thread";
      }
    }
  }
}

std::string text_of(const Convolution& of, const Shape& shape) {
  std::ostringstream text;
  text << shape[0] << "x" << shape[1] << "x" << shape[2] << "x" << shape[3]
       << " to " << of.outputs << ", kernel " << of.rows << "x" << of.columns
       << ", stride " << of.stride << ", dilation " << of.dilation
       << ", padding " << of.padding << ", activation " << of.activation
       << ", groups " << of.groups << ", sparsity " << of.sparsity;
  return text.str();
}

struct Case {
  Shape shape;
  Convolution of;
};

Case random_case(Random* random) {
  Case made;
  const bool is_tiny = random->chance(0.15);
  made.shape = {random->between(1, 3), is_tiny ? 1 : random->between(1, 12),
                is_tiny ? 1 : random->between(1, 70),
                random->chance(0.2) ? 1 : random->between(1, 12)};
  Convolution& of = made.of;
  of.outputs = random->chance(0.2) ? 1 : random->between(1, 12);
  of.rows = random->of<int>({1, 3, 5});
  of.columns = random->of<int>({1, 3, 5});
  of.stride = random->between(1, 2);
  of.dilation = random->between(1, 3);
  of.activation = random->between(0, 3);
  of.sparsity = random->of<double>({0, 0.3, 0.7, 0.95, 1});
  of.has_bias = random->below(4) > 0;
  of.is_sparse = random->below(2);
  of.alike = random->of<int>({1, 1, 2, 3, 4});
  of.type = random->of<int>(
      {tflite::kFloat32, tflite::kFloat16, tflite::kInt8});
  const bool fits = (of.rows - 1) * of.dilation < made.shape[1] &&
                    (of.columns - 1) * of.dilation < made.shape[2];
  if (fits && random->below(2)) of.padding = tflite::kValid;
  return made;
}

TEST(neon_equals_portable_bit_for_bit) {
  if (!find_kernels("neon")) return;
  Random random(20);
  for (int i = 0; i < cases(60); ++i) {
    const Shape shape{1, random.between(1, 20), random.between(1, 60), 3};
    Model model;
    const int image = model.input(shape);
    random_network(&model, image, 4, false, &random);
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    const Expected expected(model, inputs);
    const auto neon =
        check(model, inputs, expected, {{"kernels", "neon"}}, -1, "neon");
    const auto portable = check(model, inputs, expected,
                                {{"kernels", "portable"}}, -1, "portable");
    EXPECT(neon == portable);
  }
}

TEST(convolutions_equal_the_reference) {
  Random random(1);
  for (int i = 0; i < cases(400); ++i) {
    Case made = random_case(&random);
    if (random.chance(0.2)) {
      made.of.groups = random.between(2, 3);
      made.shape[3] *= made.of.groups;
      made.of.outputs *= made.of.groups;
    }
    Model model;
    const int image = model.input(made.shape);
    model.output(convolve(&model, image, made.of, &random));
    check_all(model, random_image(made.shape, &random),
              text_of(made.of, made.shape));
  }
}

TEST(depthwise_convolutions_equal_the_reference) {
  Random random(2);
  for (int i = 0; i < cases(200); ++i) {
    Case made = random_case(&random);
    made.of.outputs = made.shape[3] * random.between(1, 3);
    Model model;
    const int image = model.input(made.shape);
    model.output(convolve_depthwise(&model, image, made.of, &random));
    check_all(model, random_image(made.shape, &random),
              "depthwise " + text_of(made.of, made.shape));
  }
}

TEST(all_widths_equal_the_reference) {
  Random random(3);
  const int step = 70 / cases(70);
  for (int width = 1; width <= 70; width += step) {
    Convolution of;
    of.outputs = 3;
    of.columns = random.of<int>({3, 5});
    of.dilation = random.between(1, 3);
    const Shape shape{1, 3, width, 2};
    Model model;
    const int image = model.input(shape);
    const int convolved = convolve(&model, image, of, &random);
    of.outputs = 4;
    model.output(convolve(&model, convolved, of, &random));
    check_all(model, random_image(shape, &random), text_of(of, shape));
  }
}

TEST(convolutions_of_many_channels_equal_the_reference) {
  // Sums of such layers are cut into blocks of channels.
  Random random(4);
  for (int i = 0; i < cases(6); ++i) {
    Convolution of;
    of.outputs = 20;
    of.sparsity = 0.1 * i;
    of.alike = 1 << i % 4;
    of.activation = tflite::kActivationRelu;
    const Shape shape{1, 6, random.between(20, 50), 48};
    Model model;
    const int image = model.input(shape);
    const int wide = convolve(&model, image, of, &random);
    model.output(add(&model, wide, convolve(&model, wide, of, &random)));
    check_all(model, random_image(shape, &random), text_of(of, shape));
  }
}

TEST(kernels_of_zeros_make_the_bias) {
  const Shape shape{2, 5, 7, 3};
  for (bool is_sparse : {false, true}) {
    Model model;
    const int image = model.input(shape);
    const Array filter{{4, 3, 3, 3}, std::vector<double>(4 * 27)};
    Encoding encoding;
    if (is_sparse) {
      encoding = converter_encoding(filter.shape, tflite::kFloat32);
    }
    const int bias = model.constant({{4}, {1, -2, 3, 0}});
    model.output(model.node(tflite::kConv2D,
                            {image, model.unpacked(filter, encoding), bias},
                            tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1,
                                                   1}));
    Random random(5);
    check_all(model, random_image(shape, &random), "all zeros");
  }
}

TEST(fully_connected_layers_of_means_equal_the_reference) {
  Random random(6);
  for (int i = 0; i < cases(60); ++i) {
    const Shape shape{random.between(1, 5), random.between(2, 5),
                      random.between(1, 20), random.between(1, 40)};
    const int outputs = random.between(1, 40);
    const double sparsity = random.of<double>({0, 0.5, 0.9, 1});
    Model model;
    const int image = model.input(shape);
    const int row = model.node(tflite::kMean, {image, model.integers({1, 2})},
                               tflite::ReducerParameters{false});
    Encoding encoding;
    const Array kernel =
        random_array({outputs, shape[3]}, sparsity, &random);
    if (random.below(2)) {
      encoding = converter_encoding(kernel.shape, tflite::kFloat16);
    }
    std::vector<int> inputs{row, model.unpacked(kernel, encoding)};
    if (random.below(2)) {
      inputs.push_back(model.constant(random_array({outputs}, 0, &random)));
    }
    model.output(model.node(
        tflite::kFullyConnected, inputs,
        tflite::FullyConnectedParameters{random.between(0, 3), 0, false}));
    check_all(model, random_image(shape, &random),
              "fully connected " + std::to_string(shape[3]) + " to " +
                  std::to_string(outputs));
  }
}

TEST(fully_connected_layers_of_lists_equal_the_reference) {
  Random random(21);
  for (int i = 0; i < cases(60); ++i) {
    const Shape shape{random.of<int>({1, 3, 64, 70, 96, 256}),
                      random.between(1, 40)};
    const int outputs = random.between(1, 40);
    Model model;
    const int list = model.input(shape);
    const int kernel = model.constant(
        random_array({outputs, shape[1]}, random.uniform(), &random));
    const int bias = model.constant(random_array({outputs}, 0, &random));
    model.output(model.node(
        tflite::kFullyConnected, {list, kernel, bias},
        tflite::FullyConnectedParameters{random.between(0, 3), 0, false}));
    check_all(model, random_array(shape, 0, &random),
              "list of " + std::to_string(shape[0]) + " by " +
                  std::to_string(shape[1]) + " to " + std::to_string(outputs));
  }
}

TEST(depth_to_space_equals_the_reference) {
  Random random(7);
  for (int block : {2, 3, 4, 8}) {
    for (int i = 0; i < cases(6); ++i) {
      const int depth = random.between(1, 4);
      const Shape shape{random.between(1, 2), random.between(1, 6),
                        random.between(1, 37), 3};
      Convolution of;
      of.outputs = block * block * depth;
      of.sparsity = 0.8;
      Model model;
      const int image = model.input(shape);
      int tensor = convolve(&model, image, of, &random);
      tensor = shuffle(&model, tensor, block);
      if (random.below(2)) {
        of.outputs = 3;
        tensor = convolve(&model, tensor, of, &random);
      }
      model.output(tensor);
      check_all(model, random_image(shape, &random),
                "depth to space by " + std::to_string(block) + ", " +
                    text_of(of, shape));
    }
  }
}

TEST(resizing_equals_the_reference) {
  Random random(8);
  for (int code : {tflite::kResizeBilinear, tflite::kResizeNearestNeighbor}) {
    for (int factor : {1, 2, 3, 4, 8}) {
      for (int i = 0; i < cases(4); ++i) {
        const Shape shape{1, random.between(1, 7), random.between(1, 37),
                          random.between(1, 4)};
        Model model;
        const int image = model.input(shape);
        model.output(model.node(
            code,
            {image, model.integers({shape[1] * factor, shape[2] * factor})},
            tflite::ResizeParameters{false, true}));
        check_all(model, random_image(shape, &random),
                  "resized by " + std::to_string(factor) + " of width " +
                      std::to_string(shape[2]));
      }
    }
  }
}

TEST(resizing_and_a_convolution_of_the_same_image_equal_the_reference) {
  Random random(9);
  for (int i = 0; i < cases(20); ++i) {
    const Shape shape{1, random.between(1, 9), random.between(1, 40), 3};
    Convolution of;
    of.outputs = 3 * 4;
    Model model;
    const int image = model.input(shape);
    const int large =
        shuffle(&model, convolve(&model, image, of, &random), 2);
    const int resized = model.node(
        tflite::kResizeBilinear,
        {image, model.integers({2 * shape[1], 2 * shape[2]})},
        tflite::ResizeParameters{false, true});
    model.output(add(&model, large, resized));
    check_all(model, random_image(shape, &random),
              "global skip of width " + std::to_string(shape[2]));
  }
}

TEST(means_and_what_is_multiplied_by_them_equal_the_reference) {
  Random random(10);
  for (int i = 0; i < cases(30); ++i) {
    const Shape shape{random.between(1, 2), random.between(2, 30),
                      random.between(1, 40), random.between(1, 9)};
    Convolution of;
    of.outputs = shape[3];
    of.rows = of.columns = random.of<int>({1, 3});
    Model model;
    const int image = model.input(shape);
    int pixel = model.node(tflite::kMean, {image, model.integers({1, 2})},
                           tflite::ReducerParameters{true});
    pixel = convolve(&model, pixel, of, &random);
    pixel = model.node(tflite::kLogistic, {pixel});
    of.rows = of.columns = 3;
    const int convolved = convolve(&model, image, of, &random);
    model.output(random.below(2) ? multiply(&model, convolved, pixel)
                                 : multiply(&model, pixel, convolved));
    check_all(model, random_image(shape, &random),
              "attention, " + text_of(of, shape));
  }
}

TEST(softmax_of_channels_equals_the_reference) {
  Random random(14);
  for (int i = 0; i < cases(40); ++i) {
    const Shape shape{random.between(1, 2), random.between(1, 9),
                      random.between(1, 40), random.between(1, 40)};
    const float beta = random.of<float>({1, 0.25f, 30});
    Model model;
    const int image = model.input(shape);
    Convolution of;
    of.outputs = random.between(1, 20);
    // Large numbers: all exponentials but one may become 0.
    int tensor = model.node(
        tflite::kMul,
        {convolve(&model, image, of, &random), model.constant({{}, {20}})},
        tflite::ElementwiseParameters{0});
    tensor = model.node(tflite::kSoftmax, {tensor},
                        tflite::SoftmaxParameters{beta});
    // The next layer may be fused, or need border pixels.
    switch (random.below(4)) {
      case 0:
        tensor = convolve(&model, tensor, of, &random);
        break;
      case 1:
        tensor = multiply(&model, tensor, convolve(&model, image, of, &random),
                          tflite::kActivationRelu);
        break;
      case 2:
        tensor = model.node(tflite::kMul, {tensor, model.constant({{}, {3}})},
                            tflite::ElementwiseParameters{0});
        break;
    }
    model.output(tensor);
    check_all(model, random_image(shape, &random),
              "softmax of " + text_of(of, shape));
  }
}

// The result of kernels for an image.
Array made_by(const std::string& kernels, const Model& model,
              const Array& image) {
  const auto delegate = new_delegate({{"always", "1"}, {"kernels", kernels}});
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
  EXPECT(interpreter.left() == 0) << issp_delegate_report(delegate.get());
  interpreter.set(model.inputs[0], image);
  EXPECT(interpreter.invoke());
  return interpreter.get(model.outputs[0]);
}

// Rounds like the runtime.
void round_to_floats(Array* array) {
  for (double& value : array->values) value = float(value);
}

TEST(gelu_is_exact_to_a_millionth) {
  Array image{{1, 50, 80, 2}, {}};
  const double last = double(size_of(image.shape) - 1);
  for (int i = 0; i < size_of(image.shape); ++i) {
    image.values.push_back(-20 + 40 * i / last);
  }
  round_to_floats(&image);
  for (bool is_approximate : {false, true}) {
    Model model;
    const int input = model.input(image.shape);
    model.output(model.node(tflite::kGelu, {input},
                            tflite::GeluParameters{is_approximate}));
    const Array expected =
        evaluate(model, {{input, image}}).at(model.outputs[0]);
    for (const std::string& kernels : kernel_names()) {
      const Array made = made_by(kernels, model, image);
      for (size_t i = 0; i < made.values.size(); ++i) {
        const double off = std::abs(made.values[i] - expected.values[i]);
        EXPECT(off <= 1e-6 + 1e-6 * std::abs(expected.values[i]))
            << kernels << " of " << image.values[i] << ": " << off;
      }
    }
  }
}

TEST(gelu_is_nothing_far_below_0_and_the_same_far_above) {
  const Array image{{1, 1, 8, 1},
                    {-6, -10, -1000, -1e30, 6, 1000, 1e30, INFINITY}};
  for (bool is_approximate : {false, true}) {
    Model model;
    const int input = model.input(image.shape);
    model.output(model.node(tflite::kGelu, {input},
                            tflite::GeluParameters{is_approximate}));
    for (const std::string& kernels : kernel_names()) {
      const Array made = made_by(kernels, model, image);
      for (size_t i = 0; i < 4; ++i) {
        EXPECT(std::abs(made.values[i]) < 1e-7)
            << kernels << is_approximate << ": " << made.values[i];
      }
      for (size_t i = 4; i < 8; ++i) {
        EXPECT(made.values[i] == float(image.values[i]))
            << kernels << is_approximate << ": " << made.values[i];
      }
    }
  }
}

TEST(attention_whose_scores_differ_by_200_equals_the_reference) {
  Random random(15);
  for (double factor : {1., 20., 200., 2000.}) {
    Model model;
    const int image = model.input({1, 4, 8, 3});
    int tensor = reshape(&model, image, {2, 2, 2, 4, 3});
    tensor = reshape(&model, transpose(&model, tensor, {0, 2, 1, 3, 4}),
                     {4, 8, 3});
    const int queries =
        multiply(&model, tensor, model.constant({{}, {factor}}));
    int scores = batch_matmul(&model, queries, tensor, false, true);
    scores = model.node(tflite::kSoftmax, {scores},
                        tflite::SoftmaxParameters{1});
    tensor = batch_matmul(&model, scores, tensor, false, false);
    tensor = transpose(&model, reshape(&model, tensor, {2, 2, 2, 4, 3}),
                       {0, 2, 1, 3, 4});
    model.output(reshape(&model, tensor, {1, 4, 8, 3}));
    Array pixels = random_image({1, 4, 8, 3}, &random);
    round_to_floats(&pixels);
    check_all(model, pixels, "scores times " + std::to_string(factor));
  }
}

TEST(normalizations_of_large_numbers_that_differ_little_are_right) {
  Random random(16);
  for (double mean : {0., 1., -300.}) {
    for (double deviation : {0., 1e-8, 1e-3, 1e4}) {
      const Shape shape{1, 3, 37, 20};
      Model model;
      const int image = model.input(shape);
      Normalizing by;
      by.epsilon = 1e-6;
      model.output(normalize(&model, image, by, &random));
      Array pixels = random_image(shape, &random);
      for (double& value : pixels.values) value = mean + deviation * value;
      round_to_floats(&pixels);
      check_all(model, pixels,
                "normalization of " + std::to_string(mean) + " and " +
                    std::to_string(deviation));
    }
  }
}

TEST(padded_convolutions_equal_the_reference) {
  Random random(11);
  for (int i = 0; i < cases(40); ++i) {
    const Shape shape{random.between(1, 2), random.between(1, 9),
                      random.between(1, 40), random.between(1, 5)};
    Convolution of;
    of.outputs = random.between(1, 5);
    of.stride = random.between(1, 2);
    of.padding = random.of<int>({tflite::kSame, tflite::kValid});
    Model model;
    const int image = model.input(shape);
    const int padded = model.node(
        tflite::kPad,
        {image, model.integers({0, 0, random.between(1, 3),
                                random.between(1, 3), random.between(1, 3),
                                random.between(1, 3), 0, 0})});
    model.output(convolve(&model, padded, of, &random));
    check_all(model, random_image(shape, &random),
              "padded " + text_of(of, shape));
  }
}

TEST(bounds_that_cross_equal_the_reference) {
  Random random(12);
  const std::vector<int> codes{tflite::kMinimum, tflite::kMaximum};
  for (int i = 0; i < cases(20); ++i) {
    const Shape shape{1, 3, random.between(1, 40), 2};
    Convolution of;
    of.outputs = 2;
    Model model;
    const int image = model.input(shape);
    int tensor = convolve(&model, image, of, &random);
    for (int bound = 0; bound < 3; ++bound) {
      tensor = model.node(random.of(codes),
                          {tensor, model.constant({{}, {random.number()}})});
    }
    model.output(tensor);
    check_all(model, random_image(shape, &random), "bounds");
  }
}

TEST(what_is_not_a_number_stays_so) {
  Random random(13);
  for (int activation :
       {tflite::kActivationRelu, tflite::kActivationReluN1To1,
        tflite::kActivationRelu6}) {
    Model model;
    const int image = model.input({1, 3, 20, 2});
    Convolution of;
    of.outputs = 2;
    of.rows = of.columns = 1;
    of.sparsity = 0;
    of.activation = activation;
    model.output(convolve(&model, image, of, &random));
    Array pixels = random_image({1, 3, 20, 2}, &random);
    pixels.values[26] = NAN;
    for (const std::string& kernels : kernel_names()) {
      const auto delegate =
          new_delegate({{"always", "1"}, {"kernels", kernels}});
      Interpreter interpreter(model);
      EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
      EXPECT(interpreter.left() == 0);
      interpreter.set(image, pixels);
      EXPECT(interpreter.invoke());
      const Array made = interpreter.get(model.outputs[0]);
      for (size_t i = 0; i < made.values.size(); ++i) {
        EXPECT(std::isnan(made.values[i]) == (i / 2 == 13))
            << kernels << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace issp::testing
