// Inferences allocate no memory. All memory is allocated when sizes are known.
// Each allocation may fail.

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "any_graph.h"
#include "fake_runtime.h"
#include "file_writer.h"
#include "int8_graphs.h"
#include "issp_engine.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace {

std::atomic<int> allocations{0};
std::atomic<size_t> allocated{0};  // Bytes.
// Allocations until memory is missing; -1 for no limit.
std::atomic<int> allocations_left{-1};
bool recovers = true;  // Only one allocation fails.

// Whether there is memory for one more allocation.
bool has_memory(size_t bytes) {
  ++allocations;
  allocated += bytes;
  if (allocations_left < 0) return allocations_left != -3;
  if (--allocations_left >= 0) return true;
  allocations_left = recovers ? -2 : -3;
  return false;
}

}  // namespace

#ifdef ISSP_WRAPS  // The linker replaces these.
extern "C" {
void* __real_malloc(size_t bytes);
int __real_posix_memalign(void** memory, size_t alignment, size_t bytes);
void* __wrap_malloc(size_t bytes) {
  return has_memory(bytes) ? __real_malloc(bytes) : nullptr;
}
int __wrap_posix_memalign(void** memory, size_t alignment, size_t bytes) {
  if (!has_memory(bytes)) return ENOMEM;
  return __real_posix_memalign(memory, alignment, bytes);
}
}
#else
#define __real_malloc std::malloc
#endif

void* operator new(size_t bytes) {
  if (has_memory(bytes)) {
    if (void* memory = __real_malloc(bytes)) return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace issp::testing {
namespace {

struct Close {
  void operator()(issp_network* network) const { issp_close(network); }
};
using Network = std::unique_ptr<issp_network, Close>;

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

// Memory is not missing while this lives.
class Plenty {
 public:
  Plenty() : left_(allocations_left) { allocations_left = -1; }
  ~Plenty() { allocations_left = left_; }

 private:
  const int left_;
};

// Calls a function once for each allocation that it makes, which fails. It
// returns whether it succeeds, and throws nothing. With `recovers`, one
// allocation fails, and otherwise all that follow fail too. Returns the number
// of allocations.
template <class Function>
int starve(const Function& function) {
  // A smaller scale leaves out most allocations behind the first ones.
  const int share = cases(100) < 100 ? 20 : 1 << 30;
  for (int enough = 0; enough < 200000; enough += 1 + enough / share) {
    bool was_enough = false;
    for (bool once : {true, false}) {
      recovers = once;
      allocations_left = enough;
      const bool is_done = [&]() noexcept { return function(); }();
      was_enough = allocations_left >= 0;
      allocations_left = -1;
      EXPECT(is_done || !was_enough) << enough;
    }
    if (was_enough) return enough;
  }
  EXPECT(false) << "it asks for memory without an end";
  return -1;
}

// A network of each kind. The image of the first has any size.
std::vector<AnyGraph> networks() {
  std::vector<AnyGraph> made(3);
  Random random(1);
  Model& model = made[0].model;
  int image = model.input({1, 9, 8, 3}, true);
  Convolution of;
  of.outputs = 8;
  of.is_sparse = true;
  image = convolve(&model, image, of, &random);
  of.outputs = 12;
  model.output(shuffle(&model, convolve(&model, image, of, &random), 2));
  Attending attending;
  attending.rows = attending.columns = 2;
  attending.added = {Attending::kTables};
  Model& transformer = made[1].model;
  transformer.output(transform(
      &transformer, transformer.input({1, 4, 4, 2}), attending, &random));
  for (uint64_t seed = 0; made[2].model.layers.size() < 5; ++seed) {
    Int8Graph graph(seed);
    Interpreter interpreter(graph.model);
    const auto kept = quantise(graph.numbers, &interpreter);
    const std::vector<uint8_t> file = write_file(graph.model, &interpreter);
    // The engine takes no batches, and knows fewer sparse constants.
    if (!Network(issp_open(file.data(), file.size(), nullptr, nullptr, 0))) {
      continue;
    }
    made[2] = {std::move(graph.model), std::move(graph.numbers)};
  }
  return made;
}

TEST(a_plan_for_millions_of_rows_needs_a_few_megabytes) {
  for (int type : {tflite::kFloat32, tflite::kInt8}) {
    Random random(3);
    Model model;
    const int image = model.input({1, 8, 8, 1}, true);
    Convolution of;
    of.outputs = 4;
    of.type = type;
    model.output(shuffle(&model, convolve(&model, image, of, &random), 2));
    const std::vector<uint8_t> file = write_file(model);
    issp_options options{};
    options.threads = 1;
    options.tuning_seconds = 0;
    const Network network(
        issp_open(file.data(), file.size(), &options, nullptr, 0));
    const int allocations_before = allocations;
    const size_t bytes_before = allocated;
    EXPECT(!issp_resize(network.get(), 1 << 24, 1))
        << issp_error(network.get());
    const int count = allocations - allocations_before;
    const size_t bytes = allocated - bytes_before;
    EXPECT(count < 100000 && bytes < 20 << 20) << count << " " << bytes;
  }
}

TEST(no_exception_reaches_the_runtime) {
  const char* keys[] = {"always", "tuning_seconds"};
  const char* values[] = {"1", "0"};
  starve([&] {
    tflite::Delegate* made =
        tflite_plugin_create_delegate(keys, values, 2, [](const char*) {});
    const Plenty plenty;
    tflite_plugin_destroy_delegate(made);
    return made != nullptr;
  });
  for (const AnyGraph& of : networks()) {
    std::unique_ptr<Interpreter> interpreter;
    std::vector<std::unique_ptr<Quantised>> kept;
    const auto delegate = new_delegate({{"always", "1"},
                                        {"num_threads", "2"},
                                        {"tuning_seconds", "0"}});
    const auto load = [&] {
      const Plenty plenty;
      interpreter = std::make_unique<Interpreter>(of.model);
      kept = quantise(of.numbers, interpreter.get());
    };
    const int applied = starve([&] {
      load();
      return delegate->prepare(interpreter->context(), delegate.get()) ==
                 tflite::kOk &&
             interpreter->left() == 0;
    });
    const int reported = starve(
        [&] { return issp_delegate_report(delegate.get())[1] == '"'; });
    // A size without memory, and then with enough.
    const int prepared = starve([&] {
      {
        const Plenty plenty;
        load();
        EXPECT(interpreter->apply(delegate.get()));
      }
      const bool is_done = interpreter->prepare_parts();
      const Plenty plenty;
      EXPECT(interpreter->allocate() && interpreter->invoke());
      return is_done;
    });
    EXPECT(applied > 50 && reported > 5 && prepared > 50)
        << applied << " " << reported << " " << prepared;
  }
}

TEST(an_engine_without_memory_says_so_and_works_later) {
  for (const AnyGraph& of : networks()) {
    Interpreter interpreter(of.model);
    const auto kept = quantise(of.numbers, &interpreter);
    const std::vector<uint8_t> file = write_file(of.model, &interpreter);
    issp_options options{};
    options.threads = 2;
    options.tuning_seconds = 0;
    char error[100] = "";
    const auto open = [&] {
      return Network(issp_open(file.data(), file.size(), &options, error,
                               sizeof(error)));
    };
    const auto is_told = [](const char* text) {
      return std::strstr(text, "there is no memory") != nullptr;
    };
    starve([&] {
      const Network network = open();
      const Plenty plenty;
      EXPECT(network || is_told(error)) << error;
      return network != nullptr;
    });
    const Shape& shape = of.model.shape(of.model.inputs[0]);
    const int height = shape[1], width = shape[2];
    std::vector<float> input(10000, 0.5f), output(100000);
    starve([&] {
      Network network;
      {
        const Plenty plenty;
        network = open();
      }
      const bool is_done = issp_resize(network.get(), height, width) == 0;
      const Plenty plenty;
      EXPECT(is_done || is_told(issp_error(network.get())))
          << issp_error(network.get());
      EXPECT(!issp_resize(network.get(), height, width));
      EXPECT(!issp_run(network.get(), input.data(), output.data()));
      network.reset();
      return is_done;
    });
    const Network network = open();
    starve([&] { return issp_describe(network.get()) != nullptr; });
  }
}

TEST(a_photograph_without_memory_is_told_and_upscaled_later) {
  const AnyGraph of = networks()[0];
  const std::vector<uint8_t> file = write_file(of.model);
  issp_options options{};
  options.threads = 1;
  options.tuning_seconds = 0;
  const Network network(
      issp_open(file.data(), file.size(), &options, nullptr, 0));
  constexpr int kHeight = 40, kWidth = 30;
  const std::vector<uint8_t> from(kHeight * kWidth * 4, 99);
  std::vector<uint8_t> expected, result(from.size() * 4);
  int tile = 16;
  const auto begins = [&] {
    return issp_start(network.get(), kHeight, kWidth, tile, -1);
  };
  const auto upscales = [&](int i) {
    return !issp_upscale(network.get(), i, from.data(), kWidth * 4, 4,
                         result.data(), kWidth * 8);
  };
  starve([&] {
    // Tiles of another size than before.
    tile = 48 - tile;
    const bool is_done = begins() > 0 && upscales(0);
    const Plenty plenty;
    const int tiles = begins();
    EXPECT(tiles > 0);
    for (int i = 0; i < tiles; ++i) EXPECT(upscales(i));
    if (expected.empty()) expected = result;
    EXPECT(result == expected);
    return is_done;
  });
}

}  // namespace
}  // namespace issp::testing
