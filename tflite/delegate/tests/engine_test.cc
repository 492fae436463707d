// The engine: its results, the files that it refuses, and tiles.

#include "issp_engine.h"

#ifndef __wasm__
#include <sys/resource.h>
#endif

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "file_writer.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

struct Close {
  void operator()(issp_network* network) const { issp_close(network); }
};
using Network = std::unique_ptr<issp_network, Close>;

Network open(const std::vector<uint8_t>& file, std::string* error,
             int threads = 1) {
  issp_options options{};
  options.threads = threads;
  options.tuning_seconds = 0;
  char text[300] = "";
  Network network(
      issp_open(file.data(), file.size(), &options, text, sizeof(text)));
  *error = text;
  return network;
}

Network open(const Model& model, int threads = 1) {
  std::string error;
  Network network = open(write_file(model), &error, threads);
  EXPECT(network != nullptr) << error;
  return network;
}

// The result of a network for an image; without values if it fails.
Array run(issp_network* network, const Array& image) {
  Array made;
  if (issp_resize(network, image.shape[1], image.shape[2])) return made;
  issp_image out;
  issp_output(network, &out);
  made.shape = {1, out.height, out.width, out.channels};
  const std::vector<float> input(image.values.begin(), image.values.end());
  std::vector<float> output(size_t(out.height) * out.width * out.channels);
  EXPECT(issp_run(network, input.data(), output.data()) == 0);
  made.values.assign(output.begin(), output.end());
  return made;
}

// A network with residuals that doubles the sides of an image.
Model upscaler(const Shape& shape, bool is_dynamic, int type, bool is_sparse,
               Random* random) {
  Model model;
  const int image = model.input(shape, is_dynamic);
  Convolution by;
  by.outputs = 8;
  by.type = type;
  by.is_sparse = is_sparse;
  const int first = convolve(&model, image, by, random);
  by.activation = tflite::kActivationRelu;
  const int second = convolve(&model, first, by, random);
  const int sum = add(&model, first, second);
  by.outputs = 4 * shape[3];
  by.activation = tflite::kNoActivation;
  model.output(shuffle(&model, convolve(&model, sum, by, random), 2));
  return model;
}

// Rounds a value to 8 bits.
uint8_t level(double value) {
  return uint8_t(std::min(std::max(std::floor(value * 255 + 0.5), 0.0), 255.0));
}

}  // namespace

TEST(a_file_makes_what_its_graph_makes) {
  Random random(1);
  for (int i = 0; i < cases(60); ++i) {
    const int types[] = {tflite::kFloat32, tflite::kFloat16, tflite::kInt8};
    const bool is_dynamic = random.below(2);
    const Shape shape{1, random.between(1, 20), random.between(1, 40), 3};
    const Model model = upscaler(shape, is_dynamic, types[i % 3],
                                 random.below(2), &random);
    const Network network = open(model, random.between(1, 3));
    if (!network) continue;
    const Array image = random_image(shape, &random);
    const Expected expected(model, {{model.inputs[0], image}});
    const int out = model.outputs[0];
    const Array made = run(network.get(), image);
    EXPECT(made.shape == expected.exact.at(out).shape);
    EXPECT(difference(made, expected.exact.at(out)) < kTolerance) << i;
  }
}

TEST(a_file_may_have_its_data_behind_it_and_more_graphs) {
  Random random(13);
  const Model model =
      upscaler({1, 6, 7, 3}, false, tflite::kFloat32, true, &random);
  const Array image = random_image({1, 6, 7, 3}, &random);
  const Array expected = run(open(model).get(), image);
  for (const FileForm& form : {FileForm{true, 1}, {false, 2}, {true, 2}}) {
    Interpreter interpreter(model);
    std::string error;
    const Network network =
        open(write_file(model, &interpreter, form), &error);
    EXPECT(network != nullptr) << error;
    if (!network) continue;
    EXPECT(run(network.get(), image).values == expected.values);
  }
}

TEST(a_file_of_any_size_takes_one_size_after_the_other) {
  Random random(2);
  const Model model =
      upscaler({1, 8, 8, 3}, true, tflite::kFloat32, true, &random);
  const Network network = open(model);
  issp_image of;
  issp_input(network.get(), &of);
  EXPECT(of.height == 0 && of.width == 0 && of.channels == 3);
  EXPECT(of.type == ISSP_FLOAT32);
  for (const Shape& shape : {Shape{1, 8, 8, 3}, {1, 5, 33, 3}, {1, 1, 1, 3}}) {
    const Array image = random_image(shape, &random);
    const Expected expected(model, {{model.inputs[0], image}});
    const Array made = run(network.get(), image);
    EXPECT(difference(made, expected.exact.at(model.outputs[0])) < kTolerance)
        << shape[1];
    issp_input(network.get(), &of);
    EXPECT(of.height == shape[1] && of.width == shape[2]);
  }
}

TEST(transformers_are_computed) {
  Random random(3);
  for (int i = 0; i < cases(20); ++i) {
    const Attending attending = random_attending(&random);
    const Shape shape = image_of(attending, 1, 6, &random);
    Model model;
    const int image = model.input(shape);
    model.output(transform(&model, image, attending, &random));
    const Network network = open(model, random.between(1, 2));
    if (!network) continue;
    const Array taken = random_image(shape, &random);
    const Expected expected(model, {{image, taken}});
    const int out = model.outputs[0];
    const double error =
        difference(run(network.get(), taken), expected.exact.at(out));
    EXPECT(error < kTolerance + difference(expected.rounded.at(out),
                                           expected.exact.at(out)))
        << i << ": " << error;
  }
}

TEST(an_operator_that_is_not_known_is_named) {
  Random random(4);
  Model model;
  const int image = model.input({1, 6, 6, 3});
  const int made = convolve(&model, image, {}, &random);
  model.output(model.node(kNegate, {made}));
  std::string error;
  EXPECT(!open(write_file(model), &error));
  EXPECT(error.find("operator NEG") != std::string::npos) << error;
}

TEST(what_is_no_such_file_is_refused_with_a_sentence) {
  Random random(5);
  std::string error;
  EXPECT(!open(std::vector<uint8_t>(), &error));
  EXPECT(error == "this is no .tflite file") << error;
  const std::vector<uint8_t> file = write_file(
      upscaler({1, 4, 4, 3}, false, tflite::kFloat32, true, &random));
  for (size_t size = 0; size < file.size(); size += 1 + file.size() / 97) {
    EXPECT(!open({file.begin(), file.begin() + long(size)}, &error)) << size;
    EXPECT(!error.empty()) << size;
  }
  Model two = upscaler({1, 4, 4, 3}, false, tflite::kFloat32, true, &random);
  two.output(two.outputs[0] - 1);
  EXPECT(!open(write_file(two), &error));
  EXPECT(error.find("makes 2") != std::string::npos) << error;
  char text[8];
  EXPECT(!issp_open("", 0, nullptr, text, sizeof(text)));
  EXPECT(std::string(text) == "this is") << text;
  EXPECT(!issp_open("", 0, nullptr, nullptr, 0));
#ifndef __wasm__
  EXPECT(!issp_open_file("there/is/none", nullptr, text, sizeof(text)));
#endif
}

TEST(broken_files_do_no_harm) {
  Random random(6);
  const bool kinds[] = {false, true};
  for (int i = 0; i < cases(2000); ++i) {
    std::vector<uint8_t> file;
    if (i % 4) {
      file = write_file(upscaler({1, 4, 5, 1}, kinds[i % 2], tflite::kInt8,
                                 random.below(2), &random));
    } else {
      Model model;
      Attending of;
      const int image = model.input(image_of(of, 1, 2, &random));
      model.output(transform(&model, image, of, &random));
      file = write_file(model);
    }
    for (int k = random.between(1, 4); k > 0; --k) {
      const size_t at = size_t(random.below(int(file.size())));
      switch (random.below(3)) {
        case 0:
          file[at] = uint8_t(random.bits());
          break;
        case 1:
          file[at] = random.of<uint8_t>({0, 1, 0x7f, 0x80, 0xff});
          break;
        default:
          file[at] = uint8_t(file[at] + random.of<int>({-4, -1, 1, 4}));
      }
    }
    std::string error;
    const Network network = open(file, &error);
    EXPECT(bool(network) == error.empty()) << error;
    if (!network) continue;
    issp_image of;
    issp_input(network.get(), &of);
    const int height = of.height ? of.height : 5;
    const int width = of.width ? of.width : 4;
    constexpr int64_t kMost = 1 << 16;
    if (int64_t{height} * width > kMost || of.channels > 16) continue;
    if (issp_resize(network.get(), height, width)) continue;
    issp_image out;
    issp_output(network.get(), &out);
    const std::vector<float> input(size_t(height) * width * of.channels, 0.5f);
    const int64_t outputs = int64_t{out.height} * out.width * out.channels;
    if (outputs > kMost * 64) continue;
    std::vector<float> output(size_t(outputs), 0.0f);
    EXPECT(issp_run(network.get(), input.data(), output.data()) == 0);
  }
}

// AddressSanitizer uses memory for what is only reserved. WASI does not tell how
// much memory a program uses.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__wasm__)

// The most memory that this process had, in bytes.
int64_t peak() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return int64_t{used.ru_maxrss} * 1024;
}

// Tiles were timed with images of the size in the file.
TEST(a_small_file_with_a_huge_size_needs_no_memory_when_it_is_opened) {
  Random random(14);
  const std::vector<uint8_t> file = write_file(
      upscaler({1, 64, 1 << 22, 3}, false, tflite::kFloat32, true, &random));
  const int64_t before = peak();
  std::string error;
  open(file, &error);
  EXPECT(peak() - before < int64_t{1} << 29) << (peak() - before) / 1000000;
}

#endif

// The caller allocates an image of the declared channels.
TEST(a_file_that_declares_other_channels_than_it_makes_is_refused) {
  Random random(15);
  for (bool is_dynamic : {false, true}) {
    Model model;
    Convolution by;
    by.outputs = 4;
    model.output(convolve(&model, model.input({1, 5, 4, 1}, is_dynamic), by,
                          &random));
    Interpreter interpreter(model);
    interpreter.resize(model.outputs[0], {1, 5, 4, 3});
    std::string error;
    EXPECT(!open(write_file(model, &interpreter), &error));
    EXPECT(error == "its output has 4 channels, and the file says 3") << error;
  }
}

TEST(sizes_that_do_not_fit_are_refused_and_others_go_on) {
  Random random(7);
  const Network fixed =
      open(upscaler({1, 4, 6, 3}, false, tflite::kFloat32, true, &random));
  EXPECT(issp_resize(fixed.get(), 6, 4) == -1);
  EXPECT(std::string(issp_error(fixed.get())) ==
         "it only takes 6x4 pixels, not 4x6")
      << issp_error(fixed.get());
  EXPECT(issp_resize(fixed.get(), 4, 6) == 0);
  const Network any =
      open(upscaler({1, 4, 6, 3}, true, tflite::kFloat32, true, &random));
  float pixels[3 * 4 * 6 * 4] = {};
  EXPECT(issp_run(any.get(), pixels, pixels) == -1);
  EXPECT(std::string(issp_error(any.get())) == "no size is set");
  for (int side : {0, -1, 1 << 30}) {
    EXPECT(issp_resize(any.get(), side, 4) == -1) << side;
    EXPECT(std::strlen(issp_error(any.get())) > 0);
  }
  EXPECT(issp_run(any.get(), pixels, pixels) == -1);
  EXPECT(issp_resize(any.get(), 4, 6) == 0);
  EXPECT(issp_run(any.get(), pixels, pixels) == 0);
}

TEST(another_size_ends_the_tiles) {
  Random random(8);
  const Network network =
      open(upscaler({1, 8, 8, 3}, true, tflite::kFloat32, true, &random));
  const int side = 16;
  const std::vector<uint8_t> pixels(3 * side * side, 100);
  std::vector<uint8_t> result(4 * pixels.size());
  const auto upscale = [&] {
    return issp_upscale(network.get(), 0, pixels.data(), 3 * side, 3,
                        result.data(), 6 * side);
  };
  EXPECT(issp_start(network.get(), side, side, 16, -1) == 1);
  EXPECT(upscale() == 0);
  EXPECT(issp_resize(network.get(), 8 * side, 8 * side) == 0);
  EXPECT(upscale() == -1);
  EXPECT(issp_start(network.get(), side, side, 16, -1) == 1);
  EXPECT(upscale() == 0);
  // A size that is refused.
  EXPECT(issp_resize(network.get(), 0, side) == -1);
  EXPECT(upscale() == 0);
  EXPECT(issp_resize(network.get(), 1 << 30, 1 << 30) == -1);
  EXPECT(upscale() == 0);
}

TEST(tiles_make_the_photograph_that_one_tile_makes) {
  Random random(8);
  const Model model =
      upscaler({1, 8, 8, 3}, true, tflite::kFloat32, true, &random);
  const Network network = open(model);
  const int height = 37, width = 45;
  std::vector<uint8_t> pixels(size_t(height) * width * 4);
  for (uint8_t& pixel : pixels) pixel = uint8_t(random.bits());
  Array image = random_image({1, height, width, 3}, &random);
  for (int i = 0; i < height * width * 3; ++i) {
    image.values[size_t(i)] = pixels[size_t(i / 3 * 4 + i % 3)] / 255.0;
  }
  const Array whole = run(network.get(), image);
  const auto upscale = [&](int tile, int overlap) {
    std::vector<uint8_t> result(4 * pixels.size());
    const int tiles = issp_start(network.get(), height, width, tile, overlap);
    EXPECT(tiles > 0 && issp_scale(network.get()) == 2);
    for (int i = tiles; i-- > 0;) {
      EXPECT(!issp_upscale(network.get(), i, pixels.data(), 4 * width, 4,
                           result.data(), 8 * width));
    }
    EXPECT(issp_upscale(network.get(), tiles, pixels.data(), 4 * width, 4,
                        result.data(), 8 * width) == -1);
    return result;
  };
  const std::vector<uint8_t> once = upscale(64, -1);
  for (int i = 0; i < 4 * height * width * 3; ++i) {
    const int found = once[size_t(i / 3 * 4 + i % 3)];
    EXPECT(std::abs(found - level(whole.values[size_t(i)])) <= 1) << i;
  }
  // The radius of its receptive field is three pixels.
  EXPECT(upscale(16, -1) == once);
  EXPECT(upscale(20, 3) == once);
  EXPECT(upscale(16, 0) != once);
}

TEST(a_tile_needs_and_makes_no_more_than_it_says) {
  Random random(12);
  const Network network =
      open(upscaler({1, 8, 8, 3}, true, tflite::kFloat32, true, &random));
  const int height = 37, width = 45;
  std::vector<uint8_t> pixels(size_t(height) * width * 4);
  for (uint8_t& pixel : pixels) pixel = uint8_t(random.bits());
  for (int overlap : {-1, 0}) {
    std::vector<uint8_t> whole(4 * pixels.size()), result(whole.size());
    const int tiles = issp_start(network.get(), height, width, 16, overlap);
    for (int i = 0; i < tiles; ++i) {
      EXPECT(!issp_upscale(network.get(), i, pixels.data(), 4 * width, 4,
                           whole.data(), 8 * width));
      issp_rectangle needed, made;
      EXPECT(!issp_tile(network.get(), i, &needed, &made));
      std::vector<uint8_t> from, to(size_t(made.height) * made.width * 16);
      for (int y = 0; y < needed.height; ++y) {
        const uint8_t* row =
            &pixels[size_t((needed.top + y) * width + needed.left) * 4];
        from.insert(from.end(), row, row + 4 * needed.width);
      }
      EXPECT(!issp_upscale_tile(network.get(), i, from.data(),
                                4 * needed.width, 4, to.data(),
                                8 * made.width));
      for (int y = 0; y < 2 * made.height; ++y) {
        std::memcpy(&result[size_t((2 * made.top + y) * 2 * width +
                                   2 * made.left) * 4],
                    &to[size_t(y) * 8 * made.width], 8 * made.width);
      }
    }
    EXPECT(result == whole) << "an overlap of " << overlap;
    issp_rectangle needed, made;
    EXPECT(issp_tile(network.get(), tiles, &needed, &made) == -1);
    EXPECT(std::string(issp_error(network.get())) == "there is no such tile");
  }
}

TEST(alpha_is_scaled_too) {
  Random random(9);
  const Network network =
      open(upscaler({1, 8, 8, 3}, true, tflite::kFloat32, true, &random));
  const uint8_t pixels[] = {0, 0, 0, 0, 0, 0, 0, 200};  // Two pixels.
  uint8_t result[4 * 4 * 2] = {};
  EXPECT(issp_start(network.get(), 1, 2, 0, -1) == 1);
  EXPECT(!issp_upscale(network.get(), 0, pixels, 8, 4, result, 16));
  for (int row = 0; row < 2; ++row) {
    const uint8_t* of = result + 16 * row;
    EXPECT(of[3] == 0 && of[7] == 50 && of[11] == 150 && of[15] == 200);
  }
}

TEST(a_photograph_smaller_than_the_only_size_is_mirrored) {
  Random random(10);
  const Shape shape{1, 8, 8, 3};
  const Model model = upscaler(shape, false, tflite::kFloat32, true, &random);
  const Network network = open(model);
  const int height = 3, width = 2;
  std::vector<uint8_t> pixels(size_t(height) * width * 3);
  for (uint8_t& pixel : pixels) pixel = uint8_t(random.bits());
  Array image = random_image(shape, &random);
  const int rows[] = {0, 1, 2, 2, 1, 0, 0, 1};
  const int columns[] = {0, 1, 1, 0, 0, 1, 1, 0};
  for (int i = 0; i < 8 * 8 * 3; ++i) {
    const int row = rows[i / 24], column = columns[i / 3 % 8];
    image.values[size_t(i)] =
        pixels[size_t((row * width + column) * 3 + i % 3)] / 255.0;
  }
  const Array whole = run(network.get(), image);
  std::vector<uint8_t> result(4 * pixels.size());
  EXPECT(issp_start(network.get(), height, width, 0, -1) == 1);
  EXPECT(!issp_upscale(network.get(), 0, pixels.data(), 3 * width, 3,
                       result.data(), 6 * width));
  for (int y = 0; y < 2 * height; ++y) {
    for (int i = 0; i < 6 * width; ++i) {
      const int expected = level(whole.values[size_t(y * 16 * 3 + i)]);
      EXPECT(std::abs(result[size_t(y * 6 * width + i)] - expected) <= 1);
    }
  }
}

TEST(it_describes_what_it_does) {
  Random random(11);
  const Network network =
      open(upscaler({1, 4, 4, 3}, false, tflite::kFloat32, true, &random));
  const std::string text = issp_describe(network.get());
  EXPECT(text.find("\"kernels\"") != std::string::npos) << text;
  EXPECT(text.find("convolution") != std::string::npos) << text;
}

}  // namespace issp::testing
