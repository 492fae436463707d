// Opens bytes as a file in the engine, and computes images with it.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "any_graph.h"
#include "file_writer.h"
#include "fuzzing.h"
#include "issp_engine.h"

namespace issp::testing {
namespace {

constexpr size_t kMostBytes = 6000;
// The most numbers of an image.
constexpr int64_t kMost = 1 << 14;

struct Close {
  void operator()(issp_network* network) const { issp_close(network); }
};

int64_t numbers_of(const issp_image& of) {
  return int64_t{of.height} * of.width * of.channels;
}

// Computes an image of one size.
std::string run(issp_network* network, int height, int width) {
  if (issp_resize(network, height, width)) {
    return *issp_error(network) ? "" : "It refuses a size without a reason.";
  }
  issp_image in, out;
  issp_input(network, &in);
  issp_output(network, &out);
  if (in.height != height || in.width != width) return "It has another size.";
  const int64_t inputs = numbers_of(in), outputs = numbers_of(out);
  if (inputs > kMost || outputs > 16 * kMost) return "";
  const size_t bytes = sizeof(float);
  const std::vector<float> input(size_t(inputs), 0.5f);
  // Without bytes behind the image.
  std::vector<char> output(size_t(outputs) *
                           (out.type == ISSP_FLOAT32 ? bytes : 1));
  const int status = issp_run(network, input.data(), output.data());
  return status ? "It accepts a size, and does not run." : "";
}

// Computes a photograph in tiles.
std::string upscale(issp_network* network, int height, int width) {
  const int tiles = issp_start(network, height, width, 16, -1);
  issp_image out;
  issp_output(network, &out);
  if (tiles < 0 || numbers_of(out) > 16 * kMost) return "";
  const size_t scale = size_t(issp_scale(network));
  if (scale > 16) return "";
  const std::vector<uint8_t> from(size_t(height * width) * 4, 77);
  std::vector<uint8_t> to(from.size() * scale * scale);
  const int most = std::min(tiles, 4);
  for (int i = 0; i < most; ++i) {
    if (issp_upscale(network, i, from.data(), size_t(width) * 4, 4, to.data(),
                     scale * size_t(width) * 4)) {
      return "It starts, and does not upscale.";
    }
  }
  return "";
}

std::vector<uint8_t> make_file(Random* random) {
  const AnyGraph graph = any_graph(random);
  Interpreter interpreter(graph.model);
  const auto kept = quantise(graph.numbers, &interpreter);
  GraphMutator mutator(graph.model, &interpreter, random);
  for (int i = random->of<int>({0, 0, 1, 1, 2}); i > 0; --i) {
    mutator.change_anything();
  }
  return write_file(graph.model, &interpreter,
                    {random->below(4) == 0, random->below(4) ? 1 : 2});
}

}  // namespace

// Small files are read fast.
std::vector<uint8_t> make_input(Random* random) {
  std::vector<uint8_t> file;
  do {
    file = make_file(random);
  } while (file.size() > kMostBytes);
  return file;
}

std::string read_input(const uint8_t* data, size_t size) {
  issp_options options{};
  options.threads = 1;
  options.tuning_seconds = 0;
  char error[300] = "";
  const std::unique_ptr<issp_network, Close> network(
      issp_open(data, size, &options, error, sizeof(error)));
  if (bool(network) != !*error) return "It has a file, and an error.";
  if (!network) return "";
  issp_image of;
  issp_input(network.get(), &of);
  if (of.height) {
    if (numbers_of(of) > kMost) return "";
    const std::string wrong = run(network.get(), of.height, of.width);
    return wrong.empty() ? upscale(network.get(), 5, 7) : wrong;
  }
  for (const auto& [height, width] : {std::pair{5, 4}, {1, 1}, {8, 16}}) {
    if (int64_t{height} * width * of.channels > kMost) continue;
    const std::string wrong = run(network.get(), height, width);
    if (!wrong.empty()) return wrong;
  }
  if (!issp_describe(network.get())) return "It is not described.";
  return upscale(network.get(), 20, 9);
}

}  // namespace issp::testing
