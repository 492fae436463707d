// The choice of parts: those that are expected to become faster are taken.

#include "choice.h"

#include <string>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

// Convolutions with these numbers of channels, and a side of 1 or 3.
Model chain(const Shape& shape, bool is_dynamic,
            const std::vector<int>& outputs, int side, double sparsity) {
  Random random{1};
  Model model;
  int tensor = model.input(shape, is_dynamic);
  for (int channels : outputs) {
    Convolution of;
    of.outputs = channels;
    of.rows = of.columns = side;
    of.sparsity = sparsity;
    of.activation = tflite::kActivationRelu;
    tensor = convolve(&model, tensor, of, &random);
  }
  model.output(tensor);
  return model;
}

// The number of nodes that are left to the runtime, and why.
int left(const Model& model, std::string* report, const Options& options = {}) {
  const auto delegate = new_delegate(options);
  Interpreter interpreter(model);
  EXPECT(interpreter.apply(delegate.get())) << interpreter.errors();
  *report = issp_delegate_report(delegate.get());
  return interpreter.left();
}

TEST(narrow_images_are_left_since_most_lanes_are_empty) {
  std::string report;
  const Model model = chain({1, 7, 7, 64}, false, {256, 64}, 1, 0.8);
  EXPECT(left(model, &report) == 2);
  EXPECT(report.find("times as fast") != std::string::npos) << report;
}

TEST(wide_images_with_as_many_zeros_are_taken) {
  std::string report;
  const Model model = chain({1, 64, 160, 32}, false, {32, 32}, 3, 0.8);
  EXPECT(left(model, &report) == 0) << report;
}

TEST(few_weights_do_not_pay_for_the_edges) {
  std::string report;
  EXPECT(left(chain({1, 64, 160, 16}, false, {16}, 1, 0.9), &report) == 1);
  // The same between other layers.
  EXPECT(left(chain({1, 64, 160, 16}, false, {64, 64, 16}, 3, 0.9),
              &report) == 0)
      << report;
}

TEST(images_of_any_size_are_taken_for_photographs) {
  std::string report;
  EXPECT(left(chain({1, 1, 1, 32}, true, {32, 32}, 3, 0.9), &report) == 0)
      << report;
  // A fixed small size in the file is not a photograph.
  EXPECT(left(chain({1, 7, 7, 32}, false, {32, 32}, 3, 0.5), &report) == 2);
}

TEST(depthwise_convolutions_are_cheap_without_the_delegate) {
  Random random{2};
  Model model;
  int tensor = model.input({1, 28, 28, 96});
  Convolution of;
  of.sparsity = 0.5;
  for (int i = 0; i < 3; ++i) {
    of.outputs = 96;
    tensor = convolve_depthwise(&model, tensor, of, &random);
  }
  model.output(tensor);
  std::string report;
  EXPECT(left(model, &report) == 3) << report;
}

TEST(the_same_parts_are_taken_on_all_machines) {
  for (const std::string& kernels : kernel_names()) {
    std::string report;
    EXPECT(left(chain({1, 7, 7, 64}, false, {256, 64}, 1, 0.8), &report,
                {{"kernels", kernels}}) == 2)
        << kernels;
    EXPECT(left(chain({1, 64, 160, 32}, false, {32, 32}, 3, 0.8), &report,
                {{"kernels", kernels}}) == 0)
        << kernels;
  }
}

TEST(whoever_asks_for_all_parts_has_them) {
  std::string report;
  const Model model = chain({1, 7, 7, 64}, false, {256, 64}, 1, 0.5);
  EXPECT(left(model, &report, {{"always", "1"}}) == 0);
  EXPECT(report.find("\"expected_speedup\": 0.") != std::string::npos)
      << report;
}

}  // namespace
}  // namespace issp::testing
