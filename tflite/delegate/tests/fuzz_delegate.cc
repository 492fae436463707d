// Makes graphs from bytes, changes them, and applies the delegate.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "any_graph.h"
#include "fuzzing.h"

namespace issp::testing {
namespace {

constexpr int64_t kMostBytes = 1 << 20;

// A graph in an interpreter.
struct Loaded {
  explicit Loaded(Random* random)
      : graph(any_graph(random)),
        interpreter(graph.model),
        kept(quantise(graph.numbers, &interpreter)),
        mutator(graph.model, &interpreter, random) {
    for (int i = random->below(4); i > 0; --i) mutator.change_anything();
    // All graphs of a file share this.
    interpreter.context()->get_external_context = [](tflite::Context*, int) {
      static int file;
      return static_cast<void*>(&file);
    };
    interpreter.skip_others(kMostBytes);
  }

  const AnyGraph graph;
  Interpreter interpreter;
  const std::vector<std::unique_ptr<Quantised>> kept;
  GraphMutator mutator;
};

// Gives the inputs numbers. Otherwise they stay NaN.
void fill(const Model& model, Interpreter* interpreter) {
  for (int i : model.inputs) {
    tflite::Tensor& tensor = interpreter->tensor(i);
    if (tensor.allocation_type != tflite::kReadOnly && tensor.data) {
      std::memset(tensor.data, 0x3e, tensor.bytes);
    }
  }
}

std::string compute(Loaded* of, Random* random) {
  Interpreter& interpreter = of->interpreter;
  const Model& model = of->graph.model;
  for (int run = random->between(1, 2); run > 0; --run) {
    if (!interpreter.allocate()) continue;
    if (random->below(2)) fill(model, &interpreter);
    // A part may wait for a size.
    if (!interpreter.invoke() && interpreter.errors().empty()) {
      return "It fails without a reason.";
    }
    // Another size for the next run.
    const int input = model.inputs[0];
    std::vector<int> shape = to_vector(interpreter.tensor(input).shape);
    if (shape.size() != 4) return "";
    shape[size_t(random->between(0, 2))] = random->of<int>({1, 2, 7, 33});
    if (random->below(300) == 0) shape[1] = 1 << 24;
    interpreter.resize(input, shape);
  }
  return "";
}

}  // namespace

std::vector<uint8_t> make_input(Random* random) {
  std::vector<uint8_t> made(size_t(random->between(1, 1000)));
  for (uint8_t& byte : made) byte = uint8_t(random->bits());
  return made;
}

std::string read_input(const uint8_t* data, size_t size) {
  Random random(data, size);
  const auto delegate = new_delegate(
      {{"always", random.below(8) ? "1" : "0"},
       {"num_threads", random.below(32) ? "1" : "2"},
       {"tuning_seconds", "0"},
       {"kernels", random.of(kernel_names())},
       {"profile", random.below(2) ? "1" : "0"}});
  std::vector<std::unique_ptr<Loaded>> graphs;
  for (int i = random.of<int>({1, 1, 1, 2}); i > 0; --i) {
    graphs.push_back(std::make_unique<Loaded>(&random));
    Interpreter& interpreter = graphs.back()->interpreter;
    if (!interpreter.apply(delegate.get())) graphs.pop_back();
  }
  for (const auto& graph : graphs) {
    const std::string wrong = compute(graph.get(), &random);
    if (!wrong.empty()) return wrong;
  }
  return issp_delegate_report(delegate.get())[0] == '{' ? "" : "No report.";
}

}  // namespace issp::testing
