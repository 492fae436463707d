// Networks of transformers: which of their nodes are taken, and what they make.

#include <algorithm>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

// Of a network whose one input has these pixels.
void check_all(const Model& model, int nodes_left, const std::string& what,
               Random* random) {
  std::map<int, Array> inputs;
  for (int input : model.inputs) {
    inputs[input] = random_image(model.shape(input), random);
  }
  const Expected expected(model, inputs);
  for (const std::string& kernels : kernel_names()) {
    std::vector<std::vector<float>> first;
    for (const char* threads : {"1", "2", "3"}) {
      // So little that each layer is a group, something, and all in one.
      for (const char* cache : {"1", "20000", "100000000"}) {
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

std::string text_of(const Attending& of, const Shape& shape) {
  std::ostringstream text;
  text << shape[0] << "x" << shape[1] << "x" << shape[2] << "x" << shape[3]
       << ", windows of " << of.rows << "x" << of.columns << " from "
       << of.down << "," << of.across << ", " << of.heads << " heads of "
       << of.channels << " and " << of.values << " channels, "
       << (of.heads_first ? "heads first" : "windows first")
       << (of.is_flat ? ", flat" : "") << ", adjoint " << of.adjoint_queries
       << of.adjoint_keys << of.adjoint_values << ", parts " << of.parts
       << ", place " << of.place << ", scale " << of.scale << ", added";
  for (int added : of.added) text << " " << added;
  text << (of.subtracts ? " subtracted" : "");
  return text.str();
}

TEST(attention_equals_the_reference) {
  for (int i = 0; i < cases(60); ++i) {
    Random random{uint64_t(100 + i)};
    const int batch = random.between(1, 2);
    const Attending of = random_attending(batch, &random);
    const Shape shape = image_of(of, batch, random.between(1, 13), &random);
    Model model;
    const int image = model.input(shape);
    model.output(attend(&model, image, of, &random).image);
    check_all(model, 0, std::to_string(i) + ": " + text_of(of, shape),
              &random);
  }
}

}  // namespace
}  // namespace issp::testing
