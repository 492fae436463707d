// Networks of many layers: their results, and the nodes that are taken.

#include "graph.h"

#include <algorithm>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

void check_all(const Model& model, const std::map<int, Array>& inputs,
               int nodes_left, const std::string& what) {
  const Expected expected(model, inputs);
  for (const std::string& kernels : kernel_names()) {
    std::vector<std::vector<float>> first;
    for (const char* threads : {"1", "3"}) {
      // From a group for each layer to one group for all.
      for (const char* cache : {"1", "9000", "100000000"}) {
        const auto outputs = check(model, inputs, expected,
                                   {{"kernels", kernels},
                                    {"num_threads", threads},
                                    {"cache_bytes", cache}},
                                   nodes_left, what);
        if (first.empty()) first = outputs;
        EXPECT(outputs == first)
            << what << " differs: " << kernels << ", " << threads
            << " threads, " << cache << " bytes";
      }
    }
  }
}

TEST(random_networks_equal_the_reference) {
  for (int i = 0; i < cases(300); ++i) {
    Random random{uint64_t(100 + i)};
    Model model;
    const Shape shape{random.between(1, 2), random.between(1, 20),
                      random.between(1, 40), random.between(1, 6)};
    const int image = model.input(shape);
    random_network(&model, image, random.between(2, 9), false, &random);
    check_all(model, {{image, random_image(shape, &random)}}, -1,
              "network " + std::to_string(i));
  }
}

TEST(networks_of_any_size_equal_the_reference_at_each) {
  for (int i = 0; i < cases(60); ++i) {
    Random random{uint64_t(1000 + i)};
    Model model;
    const int channels = random.between(1, 6);
    const int image = model.input({1, 1, 1, channels}, true);
    random_network(&model, image, random.between(2, 7), true, &random);
    for (int j = 0; j < 3; ++j) {
      const Shape shape{1, random.between(1, 20), random.between(1, 40),
                        channels};
      check_all(model, {{image, random_image(shape, &random)}}, -1,
                "dynamic network " + std::to_string(i));
    }
  }
}

TEST(long_chains_of_residual_blocks_equal_the_reference) {
  Random random(1);
  for (int i = 0; i < cases(6); ++i) {
    const Shape shape{1, random.between(20, 40), random.between(20, 60), 3};
    Model model;
    const int image = model.input(shape);
    Convolution of;
    of.outputs = 8;
    of.sparsity = 0.8;
    of.is_sparse = true;
    const int head = convolve(&model, image, of, &random);
    int body = head;
    for (int block = 0; block < 6; ++block) {
      of.activation = tflite::kActivationRelu;
      int inner = convolve(&model, body, of, &random);
      of.activation = tflite::kNoActivation;
      inner = convolve(&model, inner, of, &random);
      inner = model.node(tflite::kMul,
                         {inner, model.constant({{}, {0.1}})},
                         tflite::ElementwiseParameters{0});
      body = add(&model, body, inner);
    }
    body = add(&model, head, body);
    of.outputs = 12;
    model.output(shuffle(&model, convolve(&model, body, of, &random), 2));
    check_all(model, {{image, random_image(shape, &random)}}, 0,
              "residual blocks");
  }
}

TEST(many_strided_layers_are_right_or_refused) {
  // The scale of the last image would be 2^-layers.
  for (int layers : {3, 8, 30, 70}) {
    Random random(2);
    Model model;
    const int image = model.input({1, 5, 9, 2});
    int tensor = image;
    for (int i = 0; i < layers; ++i) {
      Convolution of;
      of.stride = 2;
      of.outputs = 2;
      of.sparsity = 0.2;
      tensor = convolve(&model, tensor, of, &random);
    }
    model.output(tensor);
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    const bool runs =
        interpreter.apply(delegate.get()) && interpreter.allocate();
    EXPECT(runs || !interpreter.errors().empty());
    EXPECT(runs || layers > 8) << interpreter.errors();
    if (!runs) continue;
    const Array pixels = random_image({1, 5, 9, 2}, &random);
    interpreter.set(image, pixels);
    EXPECT(interpreter.invoke());
    const Array expected = evaluate(model, {{image, pixels}}).at(tensor);
    EXPECT(difference(interpreter.get(tensor), expected) <= kTolerance);
  }
}

TEST(a_padded_image_that_is_an_output_is_made) {
  Random random(3);
  Model model;
  const int image = model.input({1, 4, 6, 2});
  const int padded = model.node(
      tflite::kPad, {image, model.integers({0, 0, 1, 1, 1, 1, 0, 0})});
  Convolution of;
  of.padding = tflite::kValid;
  model.output(convolve(&model, padded, of, &random));
  model.output(padded);
  check_all(model, {{image, random_image({1, 4, 6, 2}, &random)}}, -1,
            "padded output");
}

TEST(an_unpacked_constant_that_is_an_output_is_made) {
  Random random(4);
  Model model;
  const int image = model.input({1, 4, 6, 2});
  const int unpacked = sparse_kernel(&model, {3, 1, 1, 2}, 0.5, &random);
  model.output(model.node(tflite::kConv2D, {image, unpacked},
                          tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1,
                                                 1}));
  model.output(unpacked);
  check_all(model, {{image, random_image({1, 4, 6, 2}, &random)}}, -1,
            "constant output");
}

TEST(an_unpacked_constant_of_two_parts_that_is_an_output_is_made) {
  Random random(4);
  Model model;
  const int image = model.input({1, 4, 6, 3});
  const int unpacked = sparse_kernel(&model, {3, 1, 1, 3}, 0.5, &random);
  const tflite::ConvParameters parameters{tflite::kSame, 1, 1, 0, 1, 1};
  int tensor =
      model.node(tflite::kConv2D, {image, unpacked}, parameters);
  tensor = model.node(kNegate, {tensor});
  model.output(model.node(tflite::kConv2D, {tensor, unpacked}, parameters));
  model.output(unpacked);
  check_all(model, {{image, random_image({1, 4, 6, 3}, &random)}}, 2,
            "constant output of two parts");
}

TEST(a_padded_image_that_nothing_convolves_is_left_to_the_runtime) {
  Random random(4);
  Model model;
  const int image = model.input({1, 4, 6, 2});
  model.output(model.node(
      tflite::kPad, {image, model.integers({0, 0, 1, 1, 1, 1, 0, 0})}));
  check_all(model, {{image, random_image({1, 4, 6, 2}, &random)}}, 1,
            "padded image");
}

TEST(images_of_one_size_and_different_scales_are_left_to_the_runtime) {
  Random random(4);
  Model model;
  const Shape shape{1, 16, 16, 2};
  const int image = model.input(shape);
  Convolution of;
  of.outputs = 2;
  of.stride = 2;
  const int strided = convolve(&model, image, of, &random);
  of.stride = 1;
  of.padding = tflite::kValid;
  of.rows = of.columns = 9;
  const int valid = convolve(&model, image, of, &random);
  model.output(add(&model, strided, valid));
  check_all(model, {{image, random_image(shape, &random)}}, 3, "scales");
}

TEST(resizing_that_is_no_convolution_is_left_to_the_runtime) {
  for (int code : {tflite::kResizeBilinear, tflite::kResizeNearestNeighbor}) {
    for (bool aligns : {false, true}) {
      for (bool has_half_pixels : {false, true}) {
        for (int width : {12, 13}) {
          Model model;
          const int image = model.input({1, 5, 6, 2});
          model.output(model.node(
              code, {image, model.integers({10, width})},
              tflite::ResizeParameters{aligns, has_half_pixels}));
          const auto delegate = new_delegate({{"always", "1"}});
          Interpreter interpreter(model);
          EXPECT(interpreter.apply(delegate.get()));
          const bool convolves =
              width == 12 && !aligns &&
              (has_half_pixels || code != tflite::kResizeBilinear);
          EXPECT(interpreter.left() == (convolves ? 0 : 1))
              << code << " " << aligns << has_half_pixels << width;
        }
      }
    }
  }
}

TEST(images_of_one_pixel_in_the_file_are_resized) {
  // Attention, in a file that does not mark sizes as unknown.
  Random random(4);
  Model model;
  const int image = model.input({1, 1, 1, 4});
  Convolution of;
  of.outputs = 4;
  const int body = convolve(&model, image, of, &random);
  int pixel = model.node(tflite::kMean, {body, model.integers({-3, -2})},
                         tflite::ReducerParameters{true});
  pixel = model.node(tflite::kLogistic, {pixel});
  model.output(multiply(&model, pixel, body));
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get()));
  EXPECT(interpreter.left() == 0);
  for (const Shape& shape : {Shape{1, 1, 1, 4}, Shape{1, 8, 9, 4}}) {
    const Array pixels = random_image(shape, &random);
    interpreter.resize(image, shape);
    EXPECT(interpreter.allocate()) << interpreter.errors();
    interpreter.set(image, pixels);
    EXPECT(interpreter.invoke());
    const int output = model.outputs[0];
    EXPECT(difference(interpreter.get(output),
                      evaluate(model, {{image, pixels}}).at(output)) <=
           kTolerance);
  }
}

TEST(a_fully_connected_layer_of_several_pixels_is_left_to_the_runtime) {
  Random random(4);
  Model model;
  const int list = model.input({4, 20});
  const int kernel = model.constant(random_array({17, 40}, 0.9, &random));
  Shape made{2, 17};
  const int output = model.node(
      tflite::kFullyConnected, {list, kernel},
      tflite::FullyConnectedParameters{0, 0, false});
  model.output(output);
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  interpreter.resize(output, made);
  EXPECT(interpreter.apply(delegate.get()));
  EXPECT(interpreter.left() == 1);
}

// A wrong shape of a tensor in a hostile file.
Shape lie_of(Shape shape, Random* random) {
  const std::vector<int> sizes{0, 1, 2, 7, 300, 60000, 1 << 30, -1};
  switch (random->below(3)) {
    case 0:
      shape[random->below(int(shape.size()))] = random->of(sizes);
      break;
    case 1:
      shape.back() *= random->between(2, 9);
      break;
    case 2: {
      const Shape longer{1, 2, 1, shape.back(), shape.back()};
      const int rank = random->between(1, 5);
      shape.assign(longer.end() - rank, longer.end());
      break;
    }
  }
  return shape;
}

TEST(shapes_of_a_file_that_lie_do_no_harm) {
  int refused = 0, right = 0;
  for (int i = 0; i < cases(1500); ++i) {
    Random random{uint64_t(5000 + i)};
    Model model;
    const Shape shape{random.between(1, 2), random.between(1, 12),
                      random.between(1, 20), random.between(1, 5)};
    const int image = model.input(shape);
    random_network(&model, image, random.between(1, 5), random.chance(0.3),
                   &random);
    if (model.layers.empty()) continue;
    const auto delegate =
        new_delegate({{"always", "1"}, {"tuning_seconds", "0"}});
    Interpreter interpreter(model);
    for (int lies = random.between(1, 2); lies > 0; --lies) {
      const Model::Layer& layer = random.of(model.layers);
      interpreter.resize(layer.outputs[0],
                         lie_of(model.shape(layer.outputs[0]), &random));
    }
    const Array pixels = random_image(shape, &random);
    if (!interpreter.apply(delegate.get()) || !interpreter.allocate()) {
      EXPECT(!interpreter.errors().empty());
      ++refused;
      continue;
    }
    interpreter.set(image, pixels);
    EXPECT(interpreter.invoke());
    const Expected expected(model, {{image, pixels}});
    for (int output : model.outputs) {
      const double off =
          difference(interpreter.get(output), expected.exact.at(output));
      const double rounding = difference(expected.rounded.at(output),
                                         expected.exact.at(output));
      EXPECT(off <= std::max(kTolerance, 20 * rounding))
          << "network " << i << ": tensor " << output << " is " << off
          << " off";
    }
    ++right;
  }
  EXPECT(right > refused) << right << " are right, " << refused << " refused";
}

TEST(an_image_is_multiplied_by_a_pixel_from_outside) {
  Random random(5);
  Model model;
  const int image = model.input({1, 4, 6, 2});
  const int pixel = model.input({1, 1, 1, 2});
  Convolution of;
  of.outputs = 2;
  model.output(multiply(&model, pixel, convolve(&model, image, of, &random)));
  check_all(model,
            {{image, random_image({1, 4, 6, 2}, &random)},
             {pixel, random_image({1, 1, 1, 2}, &random)}},
            0, "pixel from outside");
}

TEST(one_pixel_for_all_images_of_a_batch_is_left_to_the_runtime) {
  Random random(6);
  Model model;
  const int image = model.input({3, 4, 6, 2});
  const int pixel = model.input({1, 1, 1, 2});
  Convolution of;
  of.outputs = 2;
  model.output(multiply(&model, pixel, convolve(&model, image, of, &random)));
  check_all(model,
            {{image, random_image({3, 4, 6, 2}, &random)},
             {pixel, random_image({1, 1, 1, 2}, &random)}},
            1, "pixel for a batch");
}

TEST(a_constant_whose_unpacked_shape_is_another_is_left_to_the_runtime) {
  // In a hostile file, DENSIFY may declare more filters than are stored.
  Random random(7);
  Model model;
  const int image = model.input({1, 4, 6, 2});
  const int unpacked = sparse_kernel(&model, {8, 3, 3, 2}, 0.2, &random);
  const int convolved =
      model.node(tflite::kConv2D, {image, unpacked},
                 tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1, 1});
  model.output(convolved);
  for (const Shape& shape : {Shape{4, 3, 3, 2}, Shape{4, 3, 3, 4}}) {
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    interpreter.resize(unpacked, shape);
    interpreter.resize(convolved, {1, 4, 6, 4});
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == 2) << issp_delegate_report(delegate.get());
  }
}

TEST(layers_with_other_numbers_in_their_files_are_left_to_the_runtime) {
  using Numbers = std::vector<int>;
  for (const Numbers& by :
       {Numbers{0, 0, 1 << 30, 1 << 30, 0, 0, 0, 0},
        Numbers{0, 0, -1, 0, 0, 0, 0, 0}, Numbers{1, 0, 0, 0, 0, 0, 0, 0}}) {
    Model model;
    const int image = model.input({1, 4, 6, 2});
    // The shapes in the file are those of a valid padding.
    const int honest = model.integers({0, 0, 1, 1, 1, 1, 0, 0});
    const int padded = model.node(tflite::kPad, {image, honest});
    model.tensors[honest].integers = by;
    Random random(8);
    Convolution of;
    const int convolved = convolve(&model, padded, of, &random);
    model.output(convolved);
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get())) << interpreter.errors();
    EXPECT(interpreter.left() == 1);
  }
  for (const Numbers& axes :
       {Numbers{1 << 30, 1 << 30}, Numbers{2147483647, 2147483647},
        Numbers{2, 3}, Numbers{0, 3}}) {
    Model model;
    const int image = model.input({1, 4, 6, 2});
    const int mean = model.node(tflite::kMean, {image, model.integers(axes)},
                                tflite::ReducerParameters{true});
    model.output(mean);
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == 1) << axes[0];
  }
}

TEST(kernels_with_few_zeros_are_left_to_the_runtime) {
  Random random(9);
  for (double sparsity : {0., 0.95}) {
    Model model;
    const int image = model.input({1, 8, 8, 32});
    Convolution of;
    of.outputs = 32;
    of.sparsity = sparsity;
    const int convolved = convolve(&model, image, of, &random);
    model.output(convolve(&model, convolved, of, &random));
    const auto delegate = new_delegate({});
    Interpreter interpreter(model);
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == (sparsity > 0.5 ? 0 : 2))
        << issp_delegate_report(delegate.get());
  }
}

TEST(a_constant_that_is_broken_leaves_its_part_to_the_runtime) {
  Random random(10);
  Model model;
  const int image = model.input({1, 6, 8, 4});
  const tflite::ConvParameters parameters{tflite::kSame, 1, 1, 0, 1, 1};
  int tensor = image;
  std::vector<int> kernels;
  for (int i = 0; i < 2; ++i) {
    kernels.push_back(sparse_kernel(&model, {4, 3, 3, 4}, 0.5, &random));
    tensor = model.node(tflite::kConv2D, {tensor, kernels.back()}, parameters);
    tensor = model.node(kNegate, {tensor});
  }
  model.output(tensor);
  for (bool is_broken : {false, true}) {
    Interpreter interpreter(model);
    Stored& stored = interpreter.stored().front();
    // Swaps the columns of a row.
    std::vector<int>& indices = stored.indices().back();
    if (is_broken) {
      indices[0] = 1;
      indices[1] = 0;
      stored.segments().back()[1] = std::max(2, stored.segments().back()[1]);
    }
    for (const Model::Layer& layer : model.layers) {
      if (layer.outputs[0] != kernels[0]) continue;
      stored.fill(&interpreter.tensor(layer.inputs[0]));
    }
    const auto delegate = new_delegate({{"always", "1"}});
    EXPECT(interpreter.apply(delegate.get())) << interpreter.errors();
    // Left are the negations, and the first convolution with its unpacking
    // node.
    EXPECT(interpreter.left() == (is_broken ? 4 : 2))
        << issp_delegate_report(delegate.get());
  }
}

TEST(a_node_that_makes_what_an_earlier_one_makes_is_left) {
  Random random(16);
  Model model;
  Convolution of;
  of.outputs = 3;
  const int first = convolve(&model, model.input({1, 4, 5, 3}), of, &random);
  const int second = model.node(tflite::kRelu, {first});
  model.output(model.node(tflite::kRelu6, {second}));
  Interpreter interpreter(model);
  const Integers outputs = new_integers({first});
  interpreter.node(2).outputs = outputs.get();
  const auto delegate = new_delegate({{"always", "1"}});
  EXPECT(interpreter.apply(delegate.get()));
  const std::string report = issp_delegate_report(delegate.get());
  EXPECT(report.find("\"2\": \"an earlier node makes or uses its output\"") !=
         std::string::npos)
      << report;
}

TEST(a_node_that_unpacks_into_nothing_is_left_to_the_runtime) {
  Random random(11);
  Model model;
  const int image = model.input({1, 6, 8, 4});
  const int kernel = sparse_kernel(&model, {4, 3, 3, 4}, 0.5, &random);
  model.output(model.node(tflite::kConv2D, {image, kernel},
                          tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1,
                                                 1}));
  Interpreter interpreter(model);
  interpreter.node(0).outputs->data[0] = -1;
  const auto delegate = new_delegate({{"always", "1"}});
  EXPECT(interpreter.apply(delegate.get())) << interpreter.errors();
  EXPECT(interpreter.left() == 2);
}

}  // namespace
}  // namespace issp::testing
