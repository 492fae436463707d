// Graphs in int8 with wrong quantization, biases and sparse kernels, like in a
// corrupt or hostile file. A wrong node is left to the runtime with a reason,
// or all kernels compute the same result.

#include <climits>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "int8_graphs.h"
#include "kernels.h"
#include "testing.h"

namespace issp::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

struct Outcome {
  bool is_refused = false;
  int left = 0;
  std::string report;
  std::vector<std::vector<char>> outputs;
};

using Change = std::function<void(Interpreter*)>;

Outcome run(const Int8Graph& graph, const std::string& kernels,
            const Change& change) {
  const auto delegate = new_delegate(
      {{"always", "1"}, {"tuning_seconds", "0"}, {"kernels", kernels}});
  Interpreter interpreter(graph.model);
  const auto kept = quantise(graph.numbers, &interpreter);
  if (change) change(&interpreter);
  Outcome made;
  made.is_refused =
      !interpreter.apply(delegate.get()) || !interpreter.allocate();
  if (made.is_refused) {
    EXPECT(!interpreter.errors().empty());
    return made;
  }
  made.left = interpreter.left();
  made.report = issp_delegate_report(delegate.get());
  // Nodes that are left have a reason.
  EXPECT(!made.left ||
         made.report.find("\"declined\": {}") == std::string::npos)
      << made.report;
  tflite::Tensor& input = interpreter.tensor(graph.model.inputs[0]);
  Random random(7);
  for (size_t i = 0; i < input.bytes; ++i) {
    static_cast<char*>(input.data)[i] = char(random.below(256));
  }
  EXPECT(interpreter.invoke());
  for (int output : graph.model.outputs) {
    const tflite::Tensor& tensor = interpreter.tensor(output);
    const char* data = static_cast<const char*>(tensor.data);
    made.outputs.push_back({data, data + tensor.bytes});
  }
  return made;
}

// Runs a graph with all kernels, which must agree. Returns the result.
Outcome run_all(const Int8Graph& graph, const std::string& what,
                const Change& change = nullptr) {
  Outcome first;
  bool is_first = true;
  for (const char* name :
       {"portable", "avx512_vnni", "avx512", "avx_vnni", "avx2", "sse4",
        "neon_i8mm", "neon_dotprod", "neon"}) {
    if (!find_kernels(name)) continue;
    Outcome made = run(graph, name, change);
    if (is_first) first = std::move(made);
    if (is_first) {
      is_first = false;
      continue;
    }
    EXPECT(made.is_refused == first.is_refused && made.left == first.left)
        << what << ": " << name << " takes other nodes";
    EXPECT(made.outputs == first.outputs)
        << what << ": " << name << " makes other numbers, " << first.report;
  }
  return first;
}

// Whether this quantization is valid for an image.
bool is_sane(const Numbers& of) {
  return of.is_affine && of.has_parameters && of.has_scales &&
         of.has_zero_points && of.scales.size() == 1 &&
         of.zero_points.size() == 1 && of.scales[0] > 0 &&
         std::isfinite(of.scales[0]) && of.zero_points[0] >= -128 &&
         of.zero_points[0] <= 127;
}

float hostile_scale(Random* random) {
  return random->of<float>({0, -0.0f, -1, kNan, kInfinite, -kInfinite, 1e-40f,
                            1e-38f, 1e-20f, 1e20f, 3e38f});
}

int hostile_zero_point(Random* random) {
  return random->of<int>({-129, 128, 255, 1000, INT_MAX, INT_MIN, -1, 1});
}

void change(Numbers* of, Random* random) {
  switch (random->below(12)) {
    case 0:
      of->is_affine = false;
      return;
    case 1:
      of->has_parameters = false;
      return;
    case 2:
      of->has_scales = false;
      return;
    case 3:
      of->has_zero_points = false;
      return;
    case 4:
      of->scales.resize(size_t(random->between(0, 12)), 0.5f);
      return;
    case 5:
      of->zero_points.resize(size_t(random->between(0, 12)),
                             hostile_zero_point(random));
      return;
    case 6:
      of->dimension = random->of<int>({-1, 1, 2, 3, 4, 7, INT_MAX, INT_MIN});
      return;
    case 7:
    case 8:
      if (of->zero_points.empty()) return;
      of->zero_points[size_t(random->below(int(of->zero_points.size())))] =
          hostile_zero_point(random);
      return;
  }
  if (of->scales.empty()) return;
  of->scales[size_t(random->below(int(of->scales.size())))] =
      hostile_scale(random);
}

int users_of(const Model& model, int tensor) {
  int count = 0;
  for (const Model::Layer& layer : model.layers) {
    bool uses = false;
    for (int output : layer.outputs) uses = uses || output == tensor;
    for (int input : layer.inputs) uses = uses || input == tensor;
    count += uses;
  }
  return count;
}

TEST(all_kernels_make_the_same_of_graphs_in_int8) {
  int whole = 0;
  for (int i = 0; i < cases(200); ++i) {
    const Int8Graph graph(uint64_t(i), i % 3 == 0);
    const Outcome made = run_all(graph, "graph " + std::to_string(i));
    EXPECT(!made.is_refused);
    whole += made.left == 0;
  }
  EXPECT(whole > cases(200) / 3) << whole;
}

TEST(images_whose_quantisation_is_wrong_are_left_with_a_reason) {
  int sane = 0;
  for (int i = 0; i < cases(1000); ++i) {
    Random random{uint64_t(9000 + i)};
    Int8Graph graph{uint64_t(i % 97)};
    const int image = random.of(graph.images);
    for (int k = random.between(1, 2); k > 0; --k) {
      change(&graph.numbers[image], &random);
    }
    const Outcome made = run_all(graph, "image " + std::to_string(i));
    const bool is_fine = is_sane(graph.numbers[image]);
    sane += is_fine;
    EXPECT(is_fine || made.is_refused ||
           made.left >= users_of(graph.model, image))
        << "graph " << i << ": " << made.report;
  }
  EXPECT(sane > 0 && sane < cases(1000));
}

TEST(kernels_whose_quantisation_is_wrong_are_left_with_a_reason) {
  for (int i = 0; i < cases(1000); ++i) {
    Random random{uint64_t(19000 + i)};
    Int8Graph graph{uint64_t(i % 97)};
    std::vector<int> constants = graph.kernels;
    constants.insert(constants.end(), graph.sparse.begin(),
                     graph.sparse.end());
    const int kernel = random.of(constants);
    for (int k = random.between(1, 2); k > 0; --k) {
      change(&graph.numbers[kernel], &random);
    }
    run_all(graph, "kernel " + std::to_string(i));
  }
}

TEST(tensors_of_other_types_or_sizes_do_no_harm) {
  for (int i = 0; i < cases(1000); ++i) {
    Random random{uint64_t(29000 + i)};
    const Int8Graph graph{uint64_t(i % 97)};
    std::vector<int> constants = graph.kernels;
    for (const auto& more : {graph.biases, graph.sparse, graph.biases}) {
      constants.insert(constants.end(), more.begin(), more.end());
    }
    const int tensor = random.of(constants);
    const bool is_bias =
        std::count(graph.biases.begin(), graph.biases.end(), tensor) > 0;
    const int kind = random.below(4);
    // No runtime has constants of float32 that are shorter than their shapes.
    const int type =
        random.of<int>({tflite::kInt32, tflite::kUint8, tflite::kInt64,
                        tflite::kInt16, tflite::kFloat16});
    const Outcome made = run_all(
        graph, "tensor " + std::to_string(i), [&](Interpreter* of) {
          tflite::Tensor& changed = of->tensor(tensor);
          switch (kind) {
            case 0:
              changed.type = type;
              break;
            case 1:
              changed.bytes -= std::min(changed.bytes, size_t{1});
              break;
            case 2:
              changed.data = nullptr;
              [[fallthrough]];
            case 3:
              changed.allocation_type = 2;
          }
        });
    const bool is_wrong = kind > 0 || type != tflite::kInt32;
    EXPECT(!is_bias || !is_wrong || made.is_refused || made.left > 0)
        << "graph " << i << ": " << made.report;
  }
}

TEST(sums_that_overflow_are_the_same_with_all_kernels) {
  for (int i = 0; i < cases(60); ++i) {
    const Int8Graph graph{uint64_t(i)};
    run_all(graph, "graph " + std::to_string(i), [&](Interpreter* of) {
      for (int bias : graph.biases) {
        tflite::Tensor& tensor = of->tensor(bias);
        for (size_t k = 0; k < tensor.bytes / sizeof(int); ++k) {
          static_cast<int*>(tensor.data)[k] = k % 2 ? INT_MAX : INT_MIN;
        }
      }
    });
  }
}

TEST(an_addition_without_an_operand_is_left_to_the_runtime) {
  Model model;
  const int image = model.input({1, 4, 5, 4});
  const int sum =
      model.node(tflite::kAdd, {image, image}, tflite::ElementwiseParameters{});
  model.output(sum);
  const Numbers numbers{{0.5f}, {0}};
  for (const std::vector<int>& inputs :
       {std::vector<int>{image, -1}, {-1, image}, {-1, -1}, {image}}) {
    Interpreter interpreter(model);
    const auto kept =
        quantise({{image, numbers}, {sum, numbers}}, &interpreter);
    const Integers operands = new_integers(inputs);
    interpreter.node(0).inputs = operands.get();
    const auto delegate = new_delegate({{"always", "1"}});
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == 1);
  }
}

// A file may declare that DENSIFY makes int8 from float32.
TEST(numbers_that_are_no_int8_are_left_to_the_runtime) {
  for (float number : {1e30f, -300.0f, 0.5f, kNan, kInfinite}) {
    Model model;
    const int image = model.input({1, 4, 5, 4});
    const Shape shape{4, 1, 1, 4};
    const int constant = model.constant(
        Array{shape, std::vector<double>(16, number)},
        converter_encoding(shape, tflite::kFloat32));
    const int kernel = model.node(tflite::kDensify, {constant});
    const int made = model.node(
        tflite::kConv2D, {image, kernel},
        tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1, 1});
    model.output(made);
    Interpreter interpreter(model);
    std::vector<std::unique_ptr<Quantised>> kept;
    for (int tensor : {image, kernel, made}) {
      interpreter.tensor(tensor).type = tflite::kInt8;
      kept.push_back(std::make_unique<Quantised>(
          Numbers{{0.5f}, {0}}, &interpreter.tensor(tensor)));
    }
    const auto delegate = new_delegate({{"always", "1"}});
    EXPECT(interpreter.apply(delegate.get()));
    EXPECT(interpreter.left() == 2) << issp_delegate_report(delegate.get());
  }
}

// The output of DENSIFY may have other zero points than its input.
TEST(other_zeros_than_those_of_the_file_are_left_to_the_runtime) {
  for (int zero : {0, 1, -7, 1000, INT_MAX, INT_MIN}) {
    for (bool is_kernel : {true, false}) {
      Model model;
      const int image = model.input({1, 4, 5, 4});
      Encoding encoding;
      encoding.type = tflite::kInt8;
      encoding.scales = {0.01f};
      const Shape shape = is_kernel ? Shape{4, 1, 1, 4} : Shape{4};
      const int constant = model.constant(
          Array{shape, std::vector<double>(size_t(size_of(shape)), 0.5)},
          encoding);
      const int unpacked = model.node(tflite::kDensify, {constant});
      const int made =
          is_kernel ? model.node(tflite::kConv2D, {image, unpacked},
                                 tflite::ConvParameters{tflite::kSame, 1, 1, 0,
                                                        1, 1})
                    : model.node(tflite::kAdd, {image, unpacked},
                                 tflite::ElementwiseParameters{0});
      model.output(made);
      Interpreter interpreter(model);
      std::vector<std::unique_ptr<Quantised>> kept;
      for (int tensor : {image, constant, unpacked, made}) {
        interpreter.tensor(tensor).type = tflite::kInt8;
        kept.push_back(std::make_unique<Quantised>(
            Numbers{{0.01f}, {tensor == constant ? zero : 0}},
            &interpreter.tensor(tensor)));
      }
      const auto delegate = new_delegate({{"always", "1"}});
      EXPECT(interpreter.apply(delegate.get()));
      EXPECT(interpreter.left() == (zero ? 2 : 0))
          << zero << issp_delegate_report(delegate.get());
    }
  }
}

TEST(a_slope_that_is_no_number_changes_no_other_channel) {
  for (const char* name : {"portable", "avx512_vnni", "avx2", "neon"}) {
    if (!find_kernels(name)) continue;
    std::vector<char> made[2];
    for (bool is_broken : {false, true}) {
      Model model;
      const int image = model.input({1, 4, 5, 4});
      const int slopes =
          model.constant(Array{{4}, {is_broken ? kNan : 0.2, 0.2, 0.2, 0.2}});
      const int output = model.node(tflite::kPrelu, {image, slopes});
      model.output(output);
      Interpreter interpreter(model);
      std::vector<std::unique_ptr<Quantised>> kept;
      for (int tensor : {image, output}) {
        interpreter.tensor(tensor).type = tflite::kInt8;
        kept.push_back(std::make_unique<Quantised>(
            Numbers{{0.5f}, {3}}, &interpreter.tensor(tensor)));
      }
      const auto delegate = new_delegate({{"always", "1"}, {"kernels", name}});
      EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
      EXPECT(interpreter.left() == 0);
      tflite::Tensor& input = interpreter.tensor(image);
      for (size_t i = 0; i < input.bytes; ++i) {
        static_cast<char*>(input.data)[i] = char(3 * i);
      }
      EXPECT(interpreter.invoke());
      const tflite::Tensor& tensor = interpreter.tensor(output);
      const char* data = static_cast<const char*>(tensor.data);
      made[is_broken].assign(data, data + tensor.bytes);
    }
    int others = 0;
    for (size_t i = 0; i < made[0].size(); ++i) {
      others += i % 4 && made[0][i] != made[1][i];
    }
    EXPECT(others == 0) << others << " numbers with " << name;
  }
}

TEST(sparse_kernels_in_int8_with_wrong_metadata_do_no_harm) {
  int refused = 0;
  for (int i = 0; i < cases(1000); ++i) {
    Random random{uint64_t(39000 + i)};
    const Int8Graph graph{uint64_t(i % 97)};
    if (graph.sparse.empty()) continue;
    const int tensor = random.of(graph.sparse);
    const uint64_t seed = random.bits();
    const Outcome made = run_all(
        graph, "sparse kernel " + std::to_string(i), [&](Interpreter* of) {
          Random same(seed);
          tflite::Sparsity& sparsity = *of->tensor(tensor).sparsity;
          tflite::DimensionMetadata& level =
              sparsity.dimensions[sparsity.dimension_count - 1];
          const int hostile = same.of<int>(
              {-1, 0, 1, 2, 5, 100, 1 << 20, INT_MAX, INT_MIN});
          const auto set = [&](tflite::IntArray* in) {
            if (in->size > 0) in->data[same.below(in->size)] = hostile;
          };
          switch (same.below(7)) {
            case 0:
              set(level.segments);
              break;
            case 1:
              set(level.indices);
              break;
            case 2:
              level.format = hostile;
              break;
            case 3:
              sparsity.dimensions[0].dense_size = hostile;
              break;
            case 4:
              set(sparsity.traversal_order);
              break;
            case 5:
              level.indices->size = std::max(0, level.indices->size - 1);
              break;
            case 6:
              of->tensor(tensor).bytes /= 2;
          }
        });
    refused += made.is_refused;
  }
  EXPECT(refused > 0);
}

TEST(a_report_tells_the_blocks_of_layers_in_int8) {
  Model model;
  const int image = model.input({1, 4, 5, 6});
  Array filter{{2, 1, 1, 6}, std::vector<double>(12)};
  // Channels 1 and 3 are in one block, 4 is in another.
  filter.values[1] = filter.values[3] = filter.values[6 + 4] = 0.5;
  Encoding encoding;
  encoding.type = tflite::kInt8;
  encoding.scales = {0.01f};
  const int made = model.node(
      tflite::kConv2D, {image, model.constant(filter, encoding)},
      tflite::ConvParameters{tflite::kSame, 1, 1, 0, 1, 1});
  model.output(made);
  for (bool is_int8 : {true, false}) {
    Interpreter interpreter(model);
    std::vector<std::unique_ptr<Quantised>> kept;
    for (int tensor : {image, made}) {
      if (!is_int8) continue;
      interpreter.tensor(tensor).type = tflite::kInt8;
      kept.push_back(std::make_unique<Quantised>(
          Numbers{{0.5f}, {0}}, &interpreter.tensor(tensor)));
    }
    const auto delegate = new_delegate({{"always", "1"}});
    EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
    const std::string report = issp_delegate_report(delegate.get());
    const bool tells = report.find("\"nonzero_blocks\": 2, "
                                   "\"dense_blocks\": 4") != std::string::npos;
    EXPECT(report.find("\"nonzeros\": 3") != std::string::npos) << report;
    EXPECT(tells == is_int8) << report;
  }
}

}  // namespace
}  // namespace issp::testing
