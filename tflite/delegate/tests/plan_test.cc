// Plans without a delegate: results are the same for all bands, tiles and
// threads.

#include "arena.h"
#include "builder.h"
#include "plan.h"

#include <algorithm>

#include "fake_runtime.h"
#include "graph.h"
#include "layers.h"
#include "liveness.h"
#include "slices.h"
#include "testing.h"

namespace issp::testing {
namespace {

// The part that a delegate would take of a model, if it is a single one.
bool read(const Model& model, Interpreter* interpreter, Part* part) {
  std::string error;
  const Graph graph(interpreter->context(), &error);
  if (!error.empty() || graph.supported().size() != model.layers.size()) {
    return false;
  }
  const auto parts = graph.connected(graph.supported());
  return parts.size() == 1 &&
         build(graph, parts[0], model.outputs, part).empty();
}

// A plan with its arena and threads.
struct Planned {
  Planned(const Part& part, const std::vector<Size>& sizes,
          const Settings& settings, int threads = 1)
      : pool(threads),
        plan(part.network, sizes, settings, &pool, &arena, &error) {}

  ThreadPool pool;
  Arena arena;
  std::string error;
  Plan plan;
};

struct Result {
  std::string error;
  std::vector<std::vector<float>> outputs;
  std::string tiles;
  int groups = 0;
};

Result run(const Part& part, const std::vector<Size>& sizes,
           const std::vector<Array>& images, const Settings& settings,
           int threads) {
  Result result;
  Planned planned(part, sizes, settings, threads);
  Plan& plan = planned.plan;
  result.error = planned.error;
  if (!result.error.empty()) return result;
  std::vector<std::vector<float>> pixels;
  std::vector<const void*> inputs;
  for (const Array& image : images) {
    pixels.emplace_back(image.values.begin(), image.values.end());
  }
  for (const auto& image : pixels) inputs.push_back(image.data());
  result.outputs.resize(part.outputs.size());
  for (const Operation& of : part.network.operations) {
    if (of.kind != Operation::kOutput) continue;
    const Size size = plan.size(of.input);
    result.outputs[of.tensor].resize(size_t(size.height) * size.width *
                                     part.network.values[of.input].channels);
  }
  std::vector<void*> outputs;
  for (auto& output : result.outputs) outputs.push_back(output.data());
  std::vector<double> seconds(part.network.operations.size());
  plan.run(inputs.data(), outputs.data());
  const auto first = result.outputs;
  // Runs again on the memory of the first run.
  plan.run(inputs.data(), outputs.data(), seconds.data());
  EXPECT(first == result.outputs) << "the second run differs";
  result.groups = plan.groups();
  for (size_t i = 0; i < part.network.operations.size(); ++i) {
    const std::string text = plan.describe(int(i));
    const size_t tile = text.find("\"tile\"");
    if (tile != std::string::npos) result.tiles += text.substr(tile, 16);
  }
  return result;
}

TEST(tiles_threads_and_bands_do_not_change_a_bit) {
  std::vector<std::string> tiles;
  int most_groups = 0, networks = 0;
  for (int i = 0; networks < cases(40); ++i) {
    Random random{uint64_t(i)};
    Model model;
    const Shape shape{1, random.between(1, 40), random.between(1, 70),
                      random.between(1, 4)};
    const int image = model.input(shape);
    random_network(&model, image, random.between(1, 6), false, &random);
    Interpreter interpreter(model);
    Part part;
    if (!read(model, &interpreter, &part)) continue;
    ++networks;
    const Array pixels = random_image(shape, &random);
    for (const std::string& name : kernel_names()) {
      Kernels kernels = *find_kernels(name.c_str());
      const int registers = kernels.registers;
      std::vector<std::vector<float>> first;
      // With fewer registers, kernels have other tiles.
      for (int fewer : {registers, 11, 7, 5, 3}) {
        kernels.registers = std::min(fewer, registers);
        for (int threads : {1, 2, 5}) {
          Settings settings{&kernels,
                            random.of<size_t>({1, 5000, 50000, 1 << 30}), 0,
                            random.below(2) == 0};
          // Timing chooses tiles at random, like in real use.
          if (fewer == registers) settings.tuning_seconds = 0.01;
          const Result result =
              run(part, {{shape[1], shape[2]}}, {pixels}, settings, threads);
          EXPECT(result.error.empty()) << result.error;
          if (first.empty()) first = result.outputs;
          EXPECT(result.outputs == first)
              << "network " << i << " with " << name << ", " << threads
              << " threads, " << settings.cache_bytes << " bytes, tiles "
              << result.tiles;
          most_groups = std::max(most_groups, result.groups);
          tiles.push_back(result.tiles);
        }
      }
    }
  }
  std::sort(tiles.begin(), tiles.end());
  tiles.erase(std::unique(tiles.begin(), tiles.end()), tiles.end());
  EXPECT(networks < 10 || (most_groups > 1 && tiles.size() > 4))
      << most_groups << " groups, " << tiles.size() << " tiles";
}

TEST(filters_with_weights_at_the_same_places_are_computed_together) {
  for (int alike : {1, 2, 3, 4, 7, 8}) {
    Random random(6);
    Model model;
    const int image = model.input({1, 9, 40, 8});
    Convolution of;
    of.outputs = 21;
    of.sparsity = 0.9;
    of.alike = alike;
    model.output(convolve(&model, image, of, &random));
    Interpreter interpreter(model);
    Part part;
    EXPECT(read(model, &interpreter, &part));
    const Settings settings{find_kernels(nullptr), 1 << 20, 0, true};
    const Planned planned(part, {{9, 40}}, settings);
    const int group = alike < 2 ? 1 : alike < 4 ? 2 : 4;
    const std::string text = planned.plan.describe(1);
    const std::string expected =
        "\"outputs_at_once\": " + std::to_string(group);
    EXPECT(text.find(expected) != std::string::npos) << alike << text;
  }
}

TEST(who_gets_no_memory_leaves_others_theirs) {
  Arena arena;
  EXPECT(arena.add(1000));
  const char* data = arena.data();
  EXPECT(!arena.add(size_t{1} << 60));
  EXPECT(arena.data() == data);
  EXPECT(arena.add(500) && arena.data() == data);
  arena.remove(1000);
  EXPECT(arena.data() == data);
  arena.remove(500);
  EXPECT(!arena.data());
}

TEST(images_that_a_band_uses_up_share_their_memory) {
  const auto bytes = [](int layers) {
    Random random(4);
    Model model;
    const Shape shape{1, 64, 40, 4};
    int tensor = model.input(shape);
    Convolution of;
    of.outputs = 16;
    of.rows = of.columns = 1;
    for (int i = 0; i < layers; ++i) {
      tensor = convolve(&model, tensor, of, &random);
    }
    // This needs rows of two bands.
    of.rows = 3;
    model.output(convolve(&model, tensor, of, &random));
    Interpreter interpreter(model);
    Part part;
    EXPECT(read(model, &interpreter, &part));
    const Settings settings{find_kernels("portable"), 1 << 30, 0, true};
    const Planned planned(part, {{64, 40}}, settings);
    EXPECT(planned.plan.groups() == 1);
    return planned.plan.bytes();
  };
  EXPECT(bytes(9) == bytes(3)) << bytes(9) << " and " << bytes(3);
}

// Successive convolutions, with a residual around each pair.
void add_residual_layers(Model* model, const Shape& shape, int layers) {
  Random random(9);
  int tensor = model->input(shape);
  Convolution of;
  of.outputs = shape[3];
  for (int i = 0; i < layers; ++i) {
    const int first = convolve(model, tensor, of, &random);
    tensor = add(model, tensor, convolve(model, first, of, &random));
  }
  model->output(tensor);
}

TEST(threads_take_rows_of_others_instead_of_computing_them) {
  for (const Shape& shape :
       {Shape{1, 90, 20, 4}, Shape{1, 31, 20, 4}, Shape{1, 7, 20, 4}}) {
    Model model;
    add_residual_layers(&model, shape, 10);
    Interpreter interpreter(model);
    Part part;
    EXPECT(read(model, &interpreter, &part));
    const Network& network = part.network;
    Layout layout;
    EXPECT(lay_out(network, {{shape[1], shape[2]}},
                   format_of(*find_kernels("portable")), &layout)
               .empty());
    const int end = int(network.operations.size());
    for (int threads : {1, 2, 3, 8}) {
      const std::vector<Slice> slices =
          slices_of(network, layout, lives_of(network), 0, end, threads);
      const size_t count = slices.size();
      EXPECT(count >= 1 && count <= size_t(threads)) << count;
      // Each row of an operation belongs to one thread.
      EXPECT(count == size_t(threads) || shape[1] < 90 || threads > 3)
          << count << " of " << threads;
      for (int i = 0; i < end; ++i) {
        EXPECT(slices.front().begin[i] == 0 &&
               slices.back().reach[i] == shape[1]);
        for (size_t t = 0; t + 1 < count; ++t) {
          EXPECT(slices[t].begin[i] < slices[t].end[i]);
          EXPECT(slices[t].end[i] == slices[t + 1].begin[i]);
          EXPECT(slices[t].reach[i] <= slices[t + 1].end[i]);
        }
      }
    }
  }
}

TEST(a_thread_more_needs_memory_for_its_rows_in_work_alone) {
  const auto bytes = [](int height, int threads) {
    Model model;
    const Shape shape{1, height, 40, 8};
    add_residual_layers(&model, shape, 3);
    Interpreter interpreter(model);
    Part part;
    EXPECT(read(model, &interpreter, &part));
    const Settings settings{find_kernels("portable"), 1 << 19, 0, true};
    const Planned planned(part, {{height, 40}}, settings, threads);
    EXPECT(planned.plan.groups() == 1);
    return planned.plan.bytes();
  };
  const size_t one = bytes(200, 1), two = bytes(200, 2);
  EXPECT(two < 2.5 * one) << one << " and " << two;
  EXPECT(bytes(400, 2) < 1.1 * two) << bytes(400, 2) << " and " << two;
}

TEST(an_image_is_enlarged_when_it_is_needed) {
  Random random(5);
  Model model;
  const int image = model.input({1, 6, 7, 3});
  const int large = model.node(
      tflite::kResizeBilinear, {image, model.integers({12, 14})},
      tflite::ResizeParameters{false, true});
  Convolution of;
  of.outputs = 12;
  int tensor = image;
  for (int i = 0; i < 3; ++i) {
    tensor = convolve(&model, tensor, of, &random);
  }
  model.output(add(&model, shuffle(&model, tensor, 2), large));
  Interpreter interpreter(model);
  Part part;
  EXPECT(read(model, &interpreter, &part));
  std::vector<int> channels;
  for (const Operation& of : part.network.operations) {
    if (of.output >= 0) {
      channels.push_back(part.network.values[of.output].channels);
    }
  }
  // The image and its copy, two layers, and then the large image and its sum.
  EXPECT((channels == std::vector<int>{3, 3, 12, 12, 3, 3}));
}

TEST(images_that_are_too_small_are_refused) {
  Random random(1);
  Model model;
  const int image = model.input({1, 9, 9, 2});
  Convolution of;
  of.rows = of.columns = 5;
  of.padding = tflite::kValid;
  model.output(convolve(&model, image, of, &random));
  Interpreter interpreter(model);
  Part part;
  EXPECT(read(model, &interpreter, &part));
  const Settings settings{find_kernels(nullptr), 1 << 20, 0, true};
  for (const Size& size : {Size{4, 9}, Size{9, 4}, Size{1, 1}}) {
    const Result result =
        run(part, {size},
            {random_image({1, size.height, size.width, 2}, &random)},
            settings, 1);
    EXPECT(result.error.find("smaller than its kernel") != std::string::npos)
        << result.error;
  }
}

TEST(images_that_are_too_wide_are_refused) {
  Random random(2);
  Model model;
  const int image = model.input({1, 1, 1, 64}, true);
  Convolution of;
  of.outputs = 1;
  of.rows = 5;
  of.dilation = 3;
  model.output(convolve(&model, image, of, &random));
  Interpreter interpreter(model);
  Part part;
  EXPECT(read(model, &interpreter, &part));
  const Settings settings{find_kernels(nullptr), 1 << 20, 0, true};
  const Planned planned(part, {{1, 1 << 24}}, settings);
  EXPECT(planned.error.find("too wide") != std::string::npos)
      << planned.error;
}

TEST(images_of_different_sizes_are_refused) {
  Random random(3);
  Model model;
  const int a = model.input({1, 4, 4, 2}), b = model.input({1, 4, 4, 2});
  model.output(add(&model, a, b));
  Interpreter interpreter(model);
  Part part;
  EXPECT(read(model, &interpreter, &part));
  const Settings settings{find_kernels(nullptr), 1 << 20, 0, true};
  const Result result = run(part, {{4, 4}, {4, 5}},
                            {random_image({1, 4, 4, 2}, &random),
                             random_image({1, 4, 5, 2}, &random)},
                            settings, 1);
  EXPECT(result.error.find("different sizes") != std::string::npos)
      << result.error;
}

// A network of random layers for images of a size.
bool random_part(uint64_t seed, const Shape& shape, Model* model,
                 std::unique_ptr<Interpreter>* interpreter, Part* part) {
  Random random(seed);
  const int image = model->input(shape);
  random_network(model, image, random.between(2, 6), false, &random);
  *interpreter = std::make_unique<Interpreter>(*model);
  return read(*model, interpreter->get(), part);
}

TEST(bands_that_are_alike_are_written_down_once) {
  int networks = 0, loops = 0;
  for (int i = 0; networks < cases(30); ++i) {
    Random random{uint64_t(7000 + i)};
    const Shape shape{1, random.between(150, 500), random.between(1, 9), 2};
    Model model;
    std::unique_ptr<Interpreter> interpreter;
    Part part;
    if (!random_part(uint64_t(i), shape, &model, &interpreter, &part)) {
      continue;
    }
    ++networks;
    const Array image = random_image(shape, &random);
    const std::vector<Size> sizes{{shape[1], shape[2]}};
    const Kernels* kernels = find_kernels(nullptr);
    const Settings whole{kernels, size_t{1} << 40, 0, true};
    const Result expected = run(part, sizes, {image}, whole, 1);
    for (size_t cache : {1, 6000, 40000}) {
      const Settings settings{kernels, cache, 0, true};
      for (int threads : {1, 3}) {
        const Result result = run(part, sizes, {image}, settings, threads);
        EXPECT(result.outputs == expected.outputs)
            << "network " << i << " with " << cache << " bytes";
      }
    }
    const Settings settings{kernels, 6000, 0, true};
    const Planned once(part, sizes, settings);
    const Planned twice(part, {{2 * shape[1], shape[2]}}, settings);
    loops += twice.plan.steps() < 1.5 * once.plan.steps();
  }
  EXPECT(2 * loops > networks) << loops << " of " << networks;
}

TEST(planning_does_not_grow_with_rows) {
  Random random(8);
  Model model;
  const int image = model.input({1, 1, 1, 1}, true);
  Convolution of;
  of.outputs = 2;
  const int first = convolve(&model, image, of, &random);
  of.outputs = 4;
  model.output(shuffle(&model, convolve(&model, first, of, &random), 2));
  Interpreter interpreter(model);
  Part part;
  EXPECT(read(model, &interpreter, &part));
  const Settings settings{find_kernels("portable"), 10000, 0, true};
  const Planned low(part, {{1 << 12, 1}}, settings);
  const Planned high(part, {{1 << 24, 1}}, settings);
  EXPECT(low.error.empty() && high.error.empty());
  EXPECT(high.plan.steps() <= 2 * low.plan.steps())
      << low.plan.steps() << " and " << high.plan.steps() << " steps";
}

TEST(an_image_that_is_only_before_depth_to_space_has_a_strip_too) {
  // With one column, half a vector would be enough for all stored images.
  Model model;
  Random random{1};
  int image = model.input({1, 4, 1, 3});
  Convolution halved;
  halved.outputs = 8;
  halved.stride = 2;
  image = convolve(&model, image, halved, &random);
  image = convolve(&model, image, halved, &random);
  image = shuffle(&model, image, 2);
  model.output(image);
  const std::map<int, Array> inputs{{0, random_image({1, 4, 1, 3}, &random)}};
  for (const std::string& name : kernel_names()) {
    check(model, inputs, Expected(model, inputs),
          {{"kernels", name}, {"always", "1"}}, 0, name);
  }
}

}  // namespace
}  // namespace issp::testing
