// Inferences allocate no memory. All memory is allocated when sizes are known.

#include <atomic>
#include <cstdlib>
#include <new>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace {

std::atomic<int> allocations{0};
// Allocations until memory is missing; -1 for no limit.
std::atomic<int> allocations_left{-1};

}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  if (allocations_left >= 0 && --allocations_left < 0) {
    allocations_left = -2;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace issp::testing {
namespace {

TEST(inferences_allocate_nothing) {
  int networks = 0;
  for (int i = 0; networks < cases(30); ++i) {
    Random random{uint64_t(9000 + i)};
    Model model;
    const Shape shape{2, random.between(1, 20), random.between(1, 50), 3};
    const int image = model.input(shape);
    random_network(&model, image, random.between(2, 8), false, &random);
    for (const char* threads : {"1", "3"}) {
      const auto delegate = new_delegate({{"always", "1"},
                                          {"num_threads", threads},
                                          {"tuning_seconds", "0"}});
      Interpreter interpreter(model);
      EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
      // Nodes of the fake runtime allocate memory.
      if (interpreter.left() > 0) break;
      interpreter.set(image, random_image(shape, &random));
      const int before = allocations;
      EXPECT(interpreter.invoke());
      EXPECT(allocations == before)
          << "network " << i << ": " << allocations - before;
      ++networks;
    }
  }
}

TEST(inferences_of_attention_allocate_nothing) {
  for (int i = 0; i < cases(5); ++i) {
    Random random{uint64_t(9500 + i)};
    Attending of = random_attending(&random);
    const Shape shape = image_of(of, 2, 6, &random);
    Model model;
    const int image = model.input(shape);
    model.output(transform(&model, image, of, &random));
    for (const char* threads : {"1", "3"}) {
      const auto delegate = new_delegate({{"always", "1"},
                                          {"num_threads", threads},
                                          {"tuning_seconds", "0"}});
      Interpreter interpreter(model);
      EXPECT(interpreter.apply(delegate.get()) && interpreter.allocate());
      EXPECT(interpreter.left() == 0);
      interpreter.set(image, random_image(shape, &random));
      const int before = allocations;
      EXPECT(interpreter.invoke());
      EXPECT(allocations == before)
          << "network " << i << ": " << allocations - before;
    }
  }
}

// Calls a function with more and more allocations, until it has enough.
template <class Function>
void starve(const Function& function) {
  for (int enough = 0; enough < 20000; enough += 1 + enough / 200) {
    allocations_left = enough;
    const bool is_done = function();
    const bool was_enough = allocations_left >= 0;
    allocations_left = -1;
    if (was_enough) {
      EXPECT(is_done);
      return;
    }
  }
  EXPECT(false) << "it asks for memory without an end";
}

TEST(no_exception_reaches_the_runtime) {
  Random random(1);
  Model model;
  const int image = model.input({1, 9, 8, 3});
  Convolution of;
  of.outputs = 8;
  of.is_sparse = true;
  model.output(convolve(&model, image, of, &random));
  const char* keys[] = {"always", "tuning_seconds"};
  const char* values[] = {"1", "0"};
  starve([&] {
    tflite::Delegate* made =
        tflite_plugin_create_delegate(keys, values, 2, [](const char*) {});
    const int left = allocations_left;
    allocations_left = -1;
    tflite_plugin_destroy_delegate(made);
    allocations_left = left;
    return made != nullptr;
  });
  const auto delegate = new_delegate({{"always", "1"}});
  starve([&] { return issp_delegate_report(delegate.get())[1] == '"'; });
  const auto prepares = [&](const Model& model) {
    const int left = allocations_left;
    allocations_left = -1;
    Interpreter interpreter(model);
    allocations_left = left;
    const int status =
        delegate->prepare(interpreter.context(), delegate.get());
    const int after = allocations_left;
    allocations_left = -1;
    const bool runs = status == tflite::kOk && interpreter.left() == 0;
    allocations_left = after;
    return runs;
  };
  starve([&] { return prepares(model); });
  Attending attending;
  attending.rows = attending.columns = 2;
  attending.added = {Attending::kTables};
  Model transformer;
  transformer.output(transform(
      &transformer, transformer.input({1, 4, 4, 2}), attending, &random));
  starve([&] { return prepares(transformer); });
}

}  // namespace
}  // namespace issp::testing
