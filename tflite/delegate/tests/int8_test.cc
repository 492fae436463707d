// Networks in int8: with all kernels, tiles, bands and threads, the results are
// those of a simple computation.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arena.h"
#include "int8_kernels.h"
#include "plan.h"
#include "reorder.h"
#include "testing.h"

namespace issp::testing {
namespace {

const char* const kNames[] = {"avx512_vnni",  "avx512",       "avx_vnni",
                              "avx2",         "sse4",         "neon_i8mm",
                              "neon_dotprod", "neon",         "portable"};

struct Picture {
  Size size;
  int channels = 0;
  std::vector<int> numbers;

  int& at(int y, int x, int c) {
    return numbers[(size_t(y) * size.width + x) * channels + c];
  }
};

// Rounds like kernels: in float32, half to even, within bounds.
int rounded(float x, float low, float high, int zero_point) {
  x = std::max(x, low - float(zero_point));
  x = std::min(x, high - float(zero_point));
  return int(std::nearbyint(x)) + zero_point;
}

int done(const Post& post, int channel, int x, int other) {
  const int zero = post.made_zero_point;
  switch (post.kind) {
    case kAdd:
    case kAffine: {
      const Int8Addition& of = post.addition;
      const int bias =
          post.kind == kAdd ? of.bias : post.biases[size_t(channel)];
      const int sum = (x * of.a + (post.kind == kAdd ? other * of.b : 0) +
                       bias) >> of.shift;
      return std::min(std::max(sum, int(post.low) - zero),
                      int(post.high) - zero) + zero;
    }
    case kMultiply: {
      const int by = post.value < 0 ? post.biases[size_t(channel)]
                                    : other - post.other_zero_point;
      return rounded(float((x - post.zero_point) * by) * post.factor, post.low,
                     post.high, zero);
    }
    case kLeaky: {
      const int from_zero = x - post.zero_point;
      const float factor = from_zero < 0 ? post.a[channel] : post.b[channel];
      return rounded(float(from_zero) * factor + post.factor, post.low,
                     post.high, zero);
    }
    case kLogistic:
      return int(post.table[size_t(x + 128)]) - 128;
    default:
      return x;
  }
}

Picture convolved(const Network& network, const Operation& of,
                  std::vector<Picture>* all) {
  Picture& in = (*all)[of.input];
  Padding padding = of.padding;
  Size size;
  const auto length = [&](int n, int kernel, int stride, int dilation,
                          int* before) {
    const int extent = (kernel - 1) * dilation + 1;
    if (!of.padding.same) return (n - extent) / stride + 1;
    const int made = (n + stride - 1) / stride;
    *before = std::max((made - 1) * stride + extent - n, 0) / 2;
    return made;
  };
  size.height = length(in.size.height, of.kernel.height, of.stride.height,
                       of.dilation.height, &padding.top);
  size.width = length(in.size.width, of.kernel.width, of.stride.width,
                      of.dilation.width, &padding.left);
  const int sums = int(of.bias.size()), zero =
      network.values[of.input].quantization.zero_point;
  const int depth = sums / of.block / of.block;
  Picture made{{size.height * of.block, size.width * of.block}, depth, {}};
  made.numbers.resize(size_t(made.size.height) * made.size.width * depth);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      std::vector<int> sum = of.int8.bias;
      for (const Nonzero& weight : of.weights) {
        const int row = y * of.stride.height - padding.top +
                        weight.row * of.dilation.height;
        const int column = x * of.stride.width - padding.left +
                           weight.column * of.dilation.width;
        const bool inside = row >= 0 && row < in.size.height && column >= 0 &&
                            column < in.size.width;
        const int number = inside ? in.at(row, column, weight.channel) : zero;
        sum[weight.output] += int(weight.value) * (number - zero);
      }
      for (int o = 0; o < sums; ++o) {
        int number = rounded(float(sum[o]) * of.int8.multipliers[o],
                             of.int8.low, of.int8.high, of.int8.zero_point);
        const int place = o / depth, channel = o % depth;
        const int to_y = y * of.block + place / of.block;
        const int to_x = x * of.block + place % of.block;
        for (const Post& post : of.posts) {
          int other = 0;
          if (post.value >= 0) {
            Picture& image = (*all)[post.value];
            const bool is_pixel = image.size == Size{1, 1};
            other = post.shuffled
                        ? image.at(is_pixel ? 0 : to_y, is_pixel ? 0 : to_x,
                                   channel)
                        : image.at(is_pixel ? 0 : y, is_pixel ? 0 : x, o);
          }
          number = done(post, post.shuffled ? channel : o, number, other);
        }
        made.at(to_y, to_x, channel) = number;
      }
    }
  }
  return made;
}

Picture mean_of(const Network& network, const Operation& of, Picture in) {
  const Quantization& from = network.values[of.input].quantization;
  const Quantization& to = network.values[of.output].quantization;
  Picture made{{1, 1}, in.channels, std::vector<int>(in.channels)};
  for (int c = 0; c < in.channels; ++c) {
    int sum = 0;
    for (int y = 0; y < in.size.height; ++y) {
      for (int x = 0; x < in.size.width; ++x) {
        sum += in.at(y, x, c) - from.zero_point;
      }
    }
    const float scale =
        from.scale / to.scale / float(in.size.height * in.size.width);
    made.numbers[c] = int(std::nearbyint(
        std::min(std::max(float(sum) * scale + float(to.zero_point),
                          float(kLeastInt8)), float(kMostInt8))));
  }
  return made;
}

// A random network, its input, and its expected result.
class Case {
 public:
  explicit Case(uint64_t seed) : random_(seed) {
    Picture image{{random_.between(1, 19), random_.between(1, 70)},
                  random_.between(1, 9), {}};
    for (int i = 0; i < image.size.height * image.size.width * image.channels;
         ++i) {
      image.numbers.push_back(random_.between(-128, 127));
    }
    input = image;
    Operation in;
    in.kind = Operation::kInput;
    in.output = add_value(image.channels);
    in.tensor = 0;
    in.pixels = kPixelsInt8;
    network.operations.push_back(in);
    pictures_.push_back(std::move(image));
    for (int layers = random_.between(1, 5); layers > 0; --layers) {
      if (random_.chance(0.1)) {
        add_mean();
      } else {
        add_linear();
      }
    }
    Operation out;
    out.kind = Operation::kOutput;
    out.input = int(pictures_.size()) - 1;
    out.tensor = 0;
    out.pixels = kPixelsInt8;
    network.operations.push_back(out);
    expected = pictures_.back();
  }

  Network network;
  Picture input;
  Picture expected;

 private:
  int add_value(int channels) {
    Value value;
    value.channels = channels;
    value.is_int8 = true;
    value.quantization = {float(0.01 + random_.uniform()),
                          random_.between(-128, 127)};
    network.values.push_back(value);
    return int(network.values.size()) - 1;
  }

  void add_mean() {
    Operation of;
    of.kind = Operation::kMean;
    of.input = random_.below(int(pictures_.size()));
    of.output = add_value(pictures_[of.input].channels);
    pictures_.push_back(mean_of(network, of, pictures_[of.input]));
    network.operations.push_back(of);
  }

  void add_linear() {
    Operation of;
    of.kind = Operation::kLinear;
    of.input = random_.chance(0.7) ? int(pictures_.size()) - 1
                                   : random_.below(int(pictures_.size()));
    const Picture& in = pictures_[of.input];
    of.padding.same = random_.chance(0.7);
    const auto side = [&](int length) {
      return of.padding.same ? random_.between(1, 5)
                             : random_.between(1, std::min(length, 3));
    };
    of.kernel = {side(in.size.height), side(in.size.width)};
    if (of.padding.same && random_.chance(0.2)) of.dilation = {2, 2};
    if (random_.chance(0.2)) of.stride = {random_.between(1, 3), 2};
    if (random_.chance(0.25)) of.block = 2;
    const int outputs = random_.between(1, 9) * of.block * of.block;
    of.bias.assign(outputs, 0);
    const double kept = random_.uniform();
    for (int o = 0; o < outputs; ++o) {
      of.int8.bias.push_back(random_.between(-4000, 4000));
      of.int8.multipliers.push_back(
          // A product beyond 32 bits.
          random_.chance(0.02) ? 1e6f
                               : float(0.0001 + 0.02 * random_.uniform()));
      for (int y = 0; y < of.kernel.height; ++y) {
        for (int c = 0; c < in.channels; ++c) {
          for (int x = 0; x < of.kernel.width; ++x) {
            if (random_.chance(kept)) {
              of.weights.push_back(
                  {o, y, x, c, float(random_.between(-127, 127))});
            }
          }
        }
      }
    }
    if (random_.chance(0.3)) of.int8.low = float(random_.between(-128, 0));
    if (random_.chance(0.3)) of.int8.high = float(random_.between(0, 127));
    // Most layers have ReLU, and so this zero point.
    of.int8.zero_point =
        random_.chance(0.5) ? kLeastInt8 : random_.between(-128, 127);
    of.output = add_value(outputs / of.block / of.block);
    Picture made = convolved(network, of, &pictures_);
    for (int posts = random_.below(3); posts > 0; --posts) {
      add_post(made, &of);
    }
    of.name = "linear";
    pictures_.push_back(convolved(network, of, &pictures_));
    network.operations.push_back(std::move(of));
  }

  // `made` has the output size of the operation.
  void add_post(const Picture& made, Operation* of) {
    Post post;
    post.kind = random_.of<PostKind>(
        {kAdd, kAdd, kAffine, kMultiply, kLeaky, kLogistic});
    post.shuffled = of->block > 1 && random_.chance(0.5);
    const int sums = int(of->bias.size());
    const int channels = post.shuffled ? made.channels : sums;
    const Size size = post.shuffled || of->block == 1
                          ? made.size
                          : Size{made.size.height / of->block,
                                 made.size.width / of->block};
    if (post.kind == kAdd || post.kind == kMultiply) {
      for (int v = 0; v < int(pictures_.size()); ++v) {
        const Picture& other = pictures_[v];
        if (other.channels == channels &&
            (other.size == size || other.size == Size{1, 1})) {
          post.value = v;
        }
      }
      if (post.value < 0 && post.kind == kAdd) post.kind = kAffine;
    }
    post.low = kLeastInt8;
    post.high =
        random_.chance(0.5) ? kMostInt8 : float(random_.between(0, 127));
    post.zero_point = random_.between(-128, 127);
    post.other_zero_point = random_.between(-128, 127);
    post.made_zero_point = random_.between(-128, 127);
    post.addition = {random_.between(-(1 << 20), 1 << 20),
                     random_.between(-(1 << 20), 1 << 20),
                     random_.between(-(1 << 24), 1 << 24),
                     // With 24, the zero point may need more than 32 bits.
                     random_.chance(0.3) ? 24 : random_.between(16, 22)};
    post.factor = post.kind == kLeaky ? random_.of<float>({0, 1 / 1024.0f})
                                      : float(0.02 * random_.uniform());
    for (int c = 0; c < channels; ++c) {
      // Multiples of 1/256 keep products and sums exact.
      post.a.push_back(float(std::nearbyint(256 * random_.number()) / 256));
      post.b.push_back(float(std::nearbyint(256 * random_.number()) / 256));
      post.biases.push_back(post.kind == kMultiply
                                ? random_.between(-255, 255)
                                : random_.between(-(1 << 24), 1 << 24));
    }
    for (int i = 0; i < 256; ++i) {
      post.table.push_back(uint8_t(random_.below(256)));
    }
    of->posts.push_back(std::move(post));
  }

  Random random_;
  std::vector<Picture> pictures_;
};

std::vector<int8_t> run(const Case& of, const Settings& settings, int threads,
                        std::string* error) {
  ThreadPool pool(threads);
  Arena arena;
  Plan plan(of.network, {of.input.size}, settings, &pool, &arena, error);
  if (!error->empty()) return {};
  const std::vector<int8_t> pixels(of.input.numbers.begin(),
                                   of.input.numbers.end());
  std::vector<int8_t> made(of.expected.numbers.size());
  const void* inputs[] = {pixels.data()};
  void* outputs[] = {made.data()};
  plan.run(inputs, outputs);
  // Runs again on the memory of the first run.
  plan.run(inputs, outputs);
  return made;
}

TEST(all_kernels_make_what_a_plain_computation_makes) {
  int networks = 0;
  for (uint64_t seed = 0; networks < cases(100); ++seed) {
    const Case of(seed);
    const std::vector<int8_t> expected(of.expected.numbers.begin(),
                                       of.expected.numbers.end());
    bool fits = true;
    for (const char* name : kNames) {
      const Kernels* found = find_kernels(name);
      if (!found || !fits) continue;
      Kernels kernels = *found;
      for (int registers : {found->registers, 5}) {
        kernels.registers = registers;
        for (int threads : {1, 3}) {
          const Settings settings{&kernels,
                                  size_t{1} << (seed % 3 ? 30 : 12), 0,
                                  threads > 1};
          std::string error;
          const std::vector<int8_t> made =
              run(of, settings, threads, &error);
          // For example, images may have different scales.
          fits = error.empty();
          if (!fits) break;
          EXPECT(made == expected)
              << "network " << seed << " with " << name << ", " << threads
              << " threads, " << registers << " registers";
        }
        if (!fits) break;
      }
    }
    networks += fits;
  }
}

TEST(filters_are_computed_at_once_unless_they_have_few_blocks) {
  for (const char* name : kNames) {
    const Kernels* kernels = find_kernels(name);
    if (!kernels || kernels->int8->group == 1) continue;
    const std::string at_once = "\"outputs_at_once\": ";
    const std::string many = at_once + std::to_string(kernels->int8->group);
    int alone = 0, together = 0;
    for (uint64_t seed = 0; seed < 30; ++seed) {
      const Case of(seed);
      ThreadPool pool(1);
      Arena arena;
      std::string error;
      Plan plan(of.network, {of.input.size}, {kernels}, &pool, &arena, &error);
      if (!error.empty()) continue;
      for (int i = 0; i < int(of.network.operations.size()); ++i) {
        const std::string text = plan.describe(i);
        alone += text.find(at_once + "1") != std::string::npos;
        together += text.find(many) != std::string::npos;
      }
    }
    EXPECT(alone > 0 && together > 0)
        << name << ": " << alone << " alone, " << together << " at once";
  }
}

int blocks_of(const Network& network) {
  std::set<std::tuple<const Operation*, int, int, int, int>> blocks;
  for (const Operation& of : network.operations) {
    for (const Nonzero& weight : of.weights) {
      blocks.emplace(&of, weight.output, weight.row, weight.column,
                     weight.channel / kBlock);
    }
  }
  return int(blocks.size());
}

TEST(channels_in_another_order_make_the_same_of_fewer_blocks) {
  const Kernels* kernels = find_kernels(nullptr);
  int before = 0, after = 0;
  for (int i = 0; i < cases(300); ++i) {
    Case of{uint64_t(i)};
    std::string error;
    const std::vector<int8_t> expected = run(of, {kernels}, 1, &error);
    const int blocks = blocks_of(of.network);
    reorder_channels(&of.network);
    EXPECT(blocks_of(of.network) <= blocks) << "network " << i;
    before += blocks;
    after += blocks_of(of.network);
    std::string error_of_reordered;
    const std::vector<int8_t> made =
        run(of, {kernels}, 1, &error_of_reordered);
    EXPECT(error == error_of_reordered);
    EXPECT(made == expected) << "network " << i;
  }
  EXPECT(after < before);
}

// The bytes of pixels of a type, for numbers of int8.
std::vector<char> pixels_of(const std::vector<float>& numbers, PixelType type) {
  std::vector<char> bytes(numbers.size() * size_t(bytes_of(type)));
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (type == kPixelsFloat32) {
      std::memcpy(bytes.data() + i * sizeof(float), &numbers[i], sizeof(float));
    } else {
      bytes[i] = char(int(numbers[i]) + (type == kPixelsUint8 ? 128 : 0));
    }
  }
  return bytes;
}

// Converts an image to int8 with this quantization, and to all types. Returns
// whether the results are right.
bool converts(const Kernels* kernels, Size size, int channels, PixelType from) {
  const Quantization quantization{0.5f, -3};
  Network network;
  Value value;
  value.channels = channels;
  value.is_int8 = true;
  value.quantization = quantization;
  network.values.push_back(value);
  Operation in;
  in.kind = Operation::kInput;
  in.output = 0;
  in.tensor = 0;
  in.pixels = from;
  network.operations.push_back(in);
  const PixelType types[] = {kPixelsFloat32, kPixelsInt8, kPixelsUint8};
  for (PixelType type : types) {
    Operation out;
    out.kind = Operation::kOutput;
    out.input = 0;
    out.tensor = int(type);
    out.pixels = type;
    network.operations.push_back(out);
  }
  ThreadPool pool(1);
  Arena arena;
  std::string error;
  Plan plan(network, {size}, {kernels}, &pool, &arena, &error);
  EXPECT(error.empty()) << error;
  const size_t count = size_t(size.height) * size.width * channels;
  std::vector<float> pixels, numbers, floats;
  for (size_t i = 0; i < count; ++i) {
    const float x = float(int(i * 37 % 701) - 350) / 4;
    const int number =
        rounded(x / quantization.scale, kLeastInt8, kMostInt8, -3);
    pixels.push_back(from == kPixelsFloat32 ? x : float(number));
    numbers.push_back(float(number));
    floats.push_back(float(number + 3) * quantization.scale);
  }
  const std::vector<char> input = pixels_of(pixels, from);
  const void* inputs[] = {input.data()};
  std::vector<std::vector<char>> made, expected;
  std::vector<void*> outputs;
  for (PixelType type : types) {
    expected.push_back(
        pixels_of(type == kPixelsFloat32 ? floats : numbers, type));
    made.emplace_back(expected.back().size());
  }
  for (std::vector<char>& of : made) outputs.push_back(of.data());
  plan.run(inputs, outputs.data());
  return made == expected;
}

TEST(images_in_float32_and_uint8_become_int8_and_come_back) {
  for (const char* name : kNames) {
    const Kernels* kernels = find_kernels(name);
    if (!kernels) continue;
    for (int channels : {1, 3, 4, 6}) {
      for (int width : {1, 5, 70, 256, 300}) {
        for (PixelType from : {kPixelsFloat32, kPixelsInt8, kPixelsUint8}) {
          EXPECT(converts(kernels, {2, width}, channels, from))
              << name << ", " << channels << " channels, width " << width
              << ", from type " << from;
        }
      }
    }
  }
}

}  // namespace
}  // namespace issp::testing
