// Computes images of changing sizes, and shows whether memory grows.
//
//     soak [INFERENCES]
//
// It fails if the last nine tenths of the run need more memory than the first
// tenth.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "any_graph.h"
#include "fake_runtime.h"
#include "file_writer.h"
#include "issp_engine.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {
namespace {

constexpr int kInferences = 100000;
constexpr int kChannels = 3;
constexpr int kMostSide = 48;
// Delegates, interpreters and networks are made anew after this many.
constexpr int kLife = 100;
constexpr int kReports = 10;
// Sizes and the heap's fragments differ by this much.
constexpr long kMostGrowth = 4 << 20;

long resident_bytes() {
  long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file) return 0;
  const int found = std::fscanf(file, "%ld %ld", &pages, &resident);
  std::fclose(file);
  return found == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

Model some_network(int type) {
  Random random(1);
  Model model;
  const int image = model.input({1, 1, 1, kChannels}, true);
  Convolution of;
  of.outputs = 8;
  of.sparsity = 0.8;
  of.is_sparse = true;
  of.type = type;
  const int head = convolve(&model, image, of, &random);
  const int body = add(&model, head, convolve(&model, head, of, &random));
  of.outputs = 4 * kChannels;
  model.output(shuffle(&model, convolve(&model, body, of, &random), 2));
  return model;
}

// Each call computes an image of a random size.
class Delegated {
 public:
  explicit Delegated(const Model& model, const char* threads)
      : model_(model),
        delegate_(new_delegate({{"always", "1"},
                                {"num_threads", threads},
                                {"tuning_seconds", "0"}})),
        interpreter_(model) {
    interpreter_.apply(delegate_.get());
  }

  bool compute(int height, int width) {
    interpreter_.resize(model_.inputs[0], {1, height, width, kChannels});
    return interpreter_.allocate() && interpreter_.invoke();
  }

 private:
  const Model& model_;
  const OwnedDelegate delegate_;
  Interpreter interpreter_;
};

class Opened {
 public:
  Opened(const std::vector<uint8_t>& file, int threads)
      : input_(kMostSide * kMostSide * kChannels, 0.5f),
        output_(4 * input_.size()) {
    issp_options options{};
    options.threads = threads;
    options.tuning_seconds = 0;
    network_ = issp_open(file.data(), file.size(), &options, nullptr, 0);
  }
  ~Opened() { issp_close(network_); }

  bool compute(int height, int width) {
    return network_ && !issp_resize(network_, height, width) &&
           !issp_run(network_, input_.data(), output_.data());
  }

 private:
  issp_network* network_;
  const std::vector<float> input_;
  std::vector<float> output_;
};

int soak(int inferences) {
  const Model models[] = {some_network(tflite::kFloat32),
                          some_network(tflite::kFloat16)};
  const std::vector<uint8_t> files[] = {write_file(models[0]),
                                        write_file(models[1])};
  Random random(1);
  std::unique_ptr<Delegated> delegated;
  std::unique_ptr<Opened> opened;
  long first = 0, last = 0;
  for (int i = 0; i < inferences; ++i) {
    if (i % kLife == 0) {
      const int kind = i / kLife % 2;
      delegated = std::make_unique<Delegated>(models[kind], kind ? "2" : "1");
      opened = std::make_unique<Opened>(files[kind], kind + 1);
    }
    const int height = random.between(1, kMostSide);
    const int width = random.between(1, kMostSide);
    const bool is_done = i % 2 ? delegated->compute(height, width)
                               : opened->compute(height, width);
    if (!is_done) {
      std::printf("Inference %d fails.\n", i);
      return 1;
    }
    const int part = std::max(inferences / kReports, 1);
    const long bytes = resident_bytes();
    (i < part ? first : last) = std::max(i < part ? first : last, bytes);
    if ((i + 1) % part == 0) {
      std::printf("%7d inferences  %6.2f MB\n", i + 1, double(bytes) / 1e6);
      std::fflush(stdout);
    }
  }
  std::printf("At most %.2f MB in the first tenth, and %.2f MB later.\n",
              double(first) / 1e6, double(last) / 1e6);
  return last > first + kMostGrowth;
}

}  // namespace
}  // namespace issp::testing

int main(int count, char** arguments) {
  return issp::testing::soak(count > 1 ? std::atoi(arguments[1])
                                       : issp::testing::kInferences);
}
