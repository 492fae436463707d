// Copies that only posts use are removed, and results stay the same.

#include "fold.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "plan.h"
#include "reorder.h"
#include "testing.h"

namespace issp::testing {
namespace {

constexpr Size kSize{7, 37};
constexpr int kInputs = 3;
// Channels of a convolution, which DEPTH_TO_SPACE may turn into pixels.
constexpr int kChannels = 12;
constexpr int kOutputs = 4;

struct Choices {
  bool is_int8 = false;
  PostKind kind = kAdd;
  int block = 1;
  bool shuffled = false;  // Whether the copy is used after DEPTH_TO_SPACE.
  int copies = 1;         // One after the other.
  bool is_pixel = false;  // Whether an image of one pixel is copied.
};

class Example {
 public:
  explicit Example(const Choices& of) : of_(of) {
    const int input = new_value(kInputs);
    append(Operation::kInput, -1, input);
    int copy = input;
    if (of.is_pixel) {
      copy = new_value(kInputs);
      append(Operation::kInput, -1, copy).tensor = 1;
    }
    // After DEPTH_TO_SPACE, the other image is large too.
    const int scale = of.shuffled ? of.block : 1;
    if (scale > 1 && !of.is_pixel) copy = enlarged(copy, scale);
    first_copy_ = network.operations.size();
    for (int i = 0; i < of.copies; ++i) {
      copy = copied(copy, kChannels / (scale * scale));
    }
    Operation& sums = linear(input, kChannels, of.block);
    const int made = sums.output;
    for (int o = 0; o < kChannels; ++o) {
      for (int c = 0; c < kInputs; ++c) {
        sums.weights.push_back({o, 0, 0, c, float((o + c) % 5 - 2)});
      }
    }
    Post post{};
    post.kind = of.kind;
    post.value = copy;
    post.shuffled = of.shuffled;
    post.addition = {1 << 10, 3 << 9, 0, 10};
    post.factor = 0.01f;
    post.low = kLeastInt8;
    post.high = kMostInt8;
    sums.posts.push_back(post);
    // It reads two channels. In another order, they would be in one block.
    const int far = network.values[size_t(made)].channels > kBlock ? 5 : 1;
    Operation& last = linear(made, kOutputs, 1);
    for (int o = 0; o < kOutputs; ++o) {
      last.weights.push_back({o, 0, 0, 0, float(o + 1)});
      last.weights.push_back({o, 0, 0, far, -1});
    }
    append(Operation::kOutput, last.output, -1);
  }

  // Results by kernels and number of threads.
  std::vector<std::vector<float>> results() const {
    std::vector<std::vector<float>> all;
    for (const char* name : {"avx512_vnni", "avx2", "sse4", "neon_dotprod",
                             "neon", "portable"}) {
      const Kernels* kernels = find_kernels(name);
      if (!kernels) continue;
      all.push_back(result(kernels, 1));
      all.push_back(result(kernels, 2));
    }
    return all;
  }

  Operation& copy() { return network.operations[first_copy_]; }

  Network network;

 private:
  std::vector<float> result(const Kernels* kernels, int threads) const {
    Settings settings{kernels};
    settings.all_threads = true;
    ThreadPool pool(threads);
    Arena arena;
    std::string error;
    std::vector<Size> sizes{kSize};
    if (of_.is_pixel) sizes.push_back({1, 1});
    Plan plan(network, sizes, settings, &pool, &arena, &error);
    EXPECT(error.empty()) << error;
    const size_t pixels = size_t(kSize.height) * kSize.width;
    std::vector<float> in(pixels * kInputs);
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = float(int(i * 37 % 101) - 50);
    }
    std::vector<float> out(pixels * kOutputs * size_t(of_.block * of_.block));
    const void* inputs[] = {in.data(), in.data()};
    void* outputs[] = {out.data()};
    plan.run(inputs, outputs);
    return out;
  }

  int new_value(int channels) {
    Value value;
    value.channels = channels;
    value.is_int8 = of_.is_int8;
    network.values.push_back(value);
    return int(network.values.size()) - 1;
  }

  Operation& append(Operation::Kind kind, int input, int output) {
    Operation of;
    of.kind = kind;
    of.input = input;
    of.output = output;
    of.tensor = kind == Operation::kLinear ? -1 : 0;
    network.operations.push_back(of);
    return network.operations.back();
  }

  Operation& linear(int input, int sums, int block) {
    const int output = new_value(sums / (block * block));
    Operation& of = append(Operation::kLinear, input, output);
    of.block = block;
    of.bias.assign(size_t(sums), 0);
    of.int8.bias.assign(size_t(sums), 0);
    of.int8.multipliers.assign(size_t(sums), 1);
    return of;
  }

  int enlarged(int input, int block) {
    Operation& of = linear(input, kInputs * block * block, block);
    for (int o = 0; o < int(of.bias.size()); ++o) {
      of.weights.push_back({o, 0, 0, o % kInputs, 1});
    }
    return of.output;
  }

  // The channels, again and again.
  int copied(int input, int channels) {
    const int from = network.values[size_t(input)].channels;
    Operation& of = linear(input, channels, 1);
    for (int o = 0; o < channels; ++o) {
      of.weights.push_back({o, 0, 0, o % from, 1});
    }
    return of.output;
  }

  const Choices of_;
  size_t first_copy_ = 0;
};

void for_all(const std::function<void(const Choices&, const std::string&)>&
                 check) {
  for (bool is_int8 : {false, true}) {
    for (PostKind kind : {kAdd, kMultiply}) {
      for (int block : {1, 2}) {
        for (bool shuffled : {false, true}) {
          for (int copies : {1, 2}) {
            if (shuffled && block == 1) continue;
            for (bool is_pixel : {false, true}) {
              check({is_int8, kind, block, shuffled, copies, is_pixel},
                    std::string(is_int8 ? "int8" : "float32") + ", post " +
                        std::to_string(kind) + ", block " +
                        std::to_string(block) + ", shuffled " +
                        std::to_string(shuffled) + ", copies " +
                        std::to_string(copies) + ", pixel " +
                        std::to_string(is_pixel));
            }
          }
        }
      }
    }
  }
}

TEST(posts_read_the_copied_image) {
  for_all([](const Choices& choices, const std::string& text) {
    Example of(choices);
    const auto expected = of.results();
    const size_t before = of.network.operations.size();
    fold_copies(&of.network);
    EXPECT(of.network.operations.size() + size_t(choices.copies) == before)
        << text;
    EXPECT(of.results() == expected) << text;
    reorder_channels(&of.network);
    EXPECT(of.results() == expected) << text << ", reordered";
  });
}

TEST(a_dense_runtime_makes_each_copy_once) {
  for (int copies : {1, 2}) {
    Choices choices;
    choices.copies = copies;
    Example of(choices);
    Operation twice = of.network.operations[of.network.operations.size() - 3];
    of.network.operations.insert(of.network.operations.end() - 1, twice);
    fold_copies(&of.network);
    int counted = 0;
    for (const Operation& user : of.network.operations) counted += user.copies;
    EXPECT(counted == copies);
  }
}

// Changes the example, and expects that its copy stays.
void expect_kept(const char* what, bool is_int8,
                 const std::function<void(Example*)>& change) {
  Choices choices;
  choices.is_int8 = is_int8;
  Example of(choices);
  change(&of);
  const size_t before = of.network.operations.size();
  fold_copies(&of.network);
  EXPECT(of.network.operations.size() == before) << what;
}

TEST(operations_that_do_more_than_copy_stay) {
  expect_kept("another order", false, [](Example* of) {
    std::swap(of->copy().weights[0].channel, of->copy().weights[1].channel);
  });
  expect_kept("a weight", false,
              [](Example* of) { of->copy().weights[2].value = 2; });
  expect_kept("a bias", false, [](Example* of) { of->copy().bias[2] = 1; });
  expect_kept("two weights", false, [](Example* of) {
    of->copy().weights.insert(of->copy().weights.begin(), {0, 0, 0, 0, 1});
  });
  expect_kept("a post", false, [](Example* of) {
    Post clamp{};
    clamp.kind = kClamp;
    of->copy().posts.push_back(clamp);
  });
  expect_kept("a stride", false,
              [](Example* of) { of->copy().stride = {1, 2}; });
  expect_kept("a multiplier", true,
              [](Example* of) { of->copy().int8.multipliers[2] = 0.5f; });
  expect_kept("a bias in int8", true,
              [](Example* of) { of->copy().int8.bias[2] = 1; });
  expect_kept("bounds", true,
              [](Example* of) { of->copy().int8.low = 0; });
  expect_kept("another scale", true, [](Example* of) {
    of->network.values[1].quantization.scale = 2;
  });
}

TEST(copies_that_others_use_stay) {
  expect_kept("an output", false, [](Example* of) {
    Operation out = of->network.operations.back();
    out.input = of->copy().output;
    of->network.operations.push_back(out);
  });
}

}  // namespace
}  // namespace issp::testing
