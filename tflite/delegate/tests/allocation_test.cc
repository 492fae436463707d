// Inferences take no memory: all is there when sizes are known.

#include <atomic>
#include <cstdlib>
#include <new>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace {

std::atomic<int> allocations{0};

}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
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
      // Those that compute themselves allocate.
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

}  // namespace
}  // namespace issp::testing
