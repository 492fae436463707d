// Graphs of transformers with wrong files. Nothing is read or written out of
// bounds, and results have the declared shapes.

#include "any_graph.h"
#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

// Whether the tensors fit into memory. The runtime only allocates inputs and
// outputs of the delegate's node.
bool has_memory(const Model& model, Interpreter* interpreter) {
  int64_t bytes = 0;
  for (const std::vector<int>* all : {&model.inputs, &model.outputs}) {
    for (int i : *all) {
      for (int size : to_vector(interpreter->tensor(i).shape)) {
        if (size < 0 || size > 4096) return false;
      }
      bytes += size_of(to_vector(interpreter->tensor(i).shape));
    }
  }
  return bytes < 1 << 22;
}

// Applies a delegate, and runs the graph if all of it is taken.
bool runs(const Model& model, const char* threads, Interpreter* interpreter,
          Random* random) {
  const auto delegate = new_delegate({{"always", "1"},
                                      {"num_threads", threads},
                                      {"tuning_seconds", "0"}});
  bool runs = interpreter->apply(delegate.get());
  runs = runs && interpreter->left() == 0 && has_memory(model, interpreter) &&
         interpreter->allocate() && has_memory(model, interpreter);
  if (!runs) return false;
  const int image = model.inputs[0];
  interpreter->set(
      image,
      random_image(to_vector(interpreter->tensor(image).shape), random));
  return interpreter->invoke();
}

TEST(files_of_transformers_that_lie_do_no_harm) {
  int ran = 0;
  const int all = cases(1500);
  for (int i = 0; i < all; ++i) {
    Random random{uint64_t(20000 + i)};
    const Model model = random_transformer(&random);
    Interpreter interpreter(model);
    GraphMutator mutator(model, &interpreter, &random);
    for (int changes = random.between(0, 3); changes > 0; --changes) {
      mutator.change_something();
    }
    ran += runs(model, random.below(2) ? "1" : "2", &interpreter, &random);
  }
  EXPECT(ran >= all / 5) << ran;
}

}  // namespace
}  // namespace issp::testing
