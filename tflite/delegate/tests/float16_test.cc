// The option float16. It is less precise, and needs support by the CPU.

#include "fake_runtime.h"
#include "kernels.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

// Numbers in float16 have 11 bits. Sums of about 100 numbers lose some more.
constexpr double kTolerance16 = 1e-2;

const Options kFloat16{{"float16", "1"}};

bool has_float16() { return find_kernels("neon_float16"); }

std::string kernels_of(const Options& options) {
  const auto delegate = new_delegate(options);
  const std::string text = issp_delegate_report(delegate.get());
  const size_t begin = text.find(": \"") + 3;
  return text.substr(begin, text.find('"', begin) - begin);
}

TEST(float16_is_only_used_when_it_is_asked_for) {
  const std::string fastest = find_kernels(nullptr)->name;
  EXPECT(kernels_of({}) == fastest);
  EXPECT(fastest != "neon_float16");
  EXPECT(kernels_of({{"float16", "0"}}) == fastest);
  const std::string expected = has_float16() ? "neon_float16" : fastest;
  EXPECT(kernels_of(kFloat16) == expected) << kernels_of(kFloat16);
  EXPECT(kernels_of({{"float16", "1"}, {"kernels", "portable"}}) ==
         "portable");
  EXPECT((new_delegate({{"kernels", "neon_float16"}}) != nullptr) ==
         has_float16());
}

TEST(convolutions_in_float16_are_near_the_reference) {
  if (!has_float16()) return;
  Random random(1);
  for (int i = 0; i < cases(200); ++i) {
    const Shape shape{1, random.between(1, 9), random.between(1, 60),
                      random.between(1, 12)};
    Convolution of;
    of.outputs = random.between(1, 12);
    of.stride = random.between(1, 2);
    of.sparsity = random.of<double>({0, 0.5, 0.9});
    of.type = tflite::kFloat16;
    of.activation = random.between(0, 3);
    Model model;
    const int image = model.input(shape);
    model.output(convolve(&model, image, of, &random));
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    const Expected expected(model, inputs);
    std::vector<std::vector<float>> first;
    for (const char* threads : {"1", "3"}) {
      Options options = kFloat16;
      options["num_threads"] = threads;
      const std::string what = "float16 of width " + std::to_string(shape[2]);
      const auto outputs =
          check(model, inputs, expected, options, 0, what, kTolerance16);
      if (first.empty()) first = outputs;
      EXPECT(outputs == first) << what << " differs with 3 threads";
    }
  }
}

TEST(a_network_in_float16_is_near_the_reference) {
  if (!has_float16()) return;
  Random random(2);
  for (const char* cache : {"1", "1000000"}) {
    const Shape shape{1, 17, 39, 3};
    Model model;
    const int image = model.input(shape);
    Convolution of;
    of.outputs = 8;
    of.sparsity = 0.9;
    const int head = convolve(&model, image, of, &random);
    of.activation = tflite::kActivationRelu;
    const int inner = convolve(&model, head, of, &random);
    const int body = add(&model, head, convolve(&model, inner, of, &random));
    int pixel = model.node(tflite::kMean, {body, model.integers({1, 2})},
                           tflite::ReducerParameters{true});
    pixel = model.node(tflite::kLogistic, {pixel});
    of.outputs = 12;
    const int tail = convolve(&model, multiply(&model, body, pixel), of,
                              &random);
    model.output(shuffle(&model, tail, 2));
    Options options = kFloat16;
    options["cache_bytes"] = cache;
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    check(model, inputs, Expected(model, inputs), options, 0,
          "float16 network", kTolerance16);
  }
}

TEST(attention_in_float16_is_near_the_reference) {
  if (!has_float16()) return;
  for (int i = 0; i < cases(60); ++i) {
    Random random{uint64_t(30 + i)};
    Attending of = random_attending(&random);
    // Scores of many channels and sums of masks would be too large.
    of.channels = random.between(1, 4);
    of.values = of.channels;
    const Shape shape = image_of(of, 1, random.between(1, 6), &random);
    Model model;
    const int image = model.input(shape);
    const int made = attend(&model, image, of, &random).image;
    model.output(normalize(&model, made, {}, &random));
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    check(model, inputs, Expected(model, inputs), kFloat16, 0,
          "float16 attention " + std::to_string(i), 3 * kTolerance16);
  }
}

TEST(sums_of_many_numbers_do_not_stop_growing_in_float16) {
  if (!has_float16()) return;
  Model model;
  const Shape shape{1, 150, 160, 3};
  const int image = model.input(shape);
  model.output(model.node(tflite::kMean,
                          {image, model.integers({1, 2})},
                          tflite::ReducerParameters{true}));
  Array ones{shape, std::vector<double>(size_t(size_of(shape)), 1)};
  const std::map<int, Array> inputs{{image, ones}};
  check(model, inputs, Expected(model, inputs), kFloat16, 0, "mean",
        kTolerance16);
}

}  // namespace
}  // namespace issp::testing
