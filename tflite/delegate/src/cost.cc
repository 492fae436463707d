#include "cost.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace issp {
namespace {

// Nanoseconds on one core of an AMD EPYC with AVX-512. Dense kernels have the
// largest advantage there, and narrow images waste the most lanes. The
// decisions are those for this CPU on every CPU, so that the same parts are
// taken everywhere. `python benchmarks/ordinary.py --only=layers` measures
// single layers, and fits these numbers to their times.
namespace dense {
constexpr double kCall = 118;
constexpr double kProduct = 0.0196;    // Of a convolution.
constexpr double kWeight = 0.035;      // Reading a weight.
constexpr double kDepthwise = 0.0518;  // A product of a depthwise convolution.
constexpr double kWritten = 0.0262;    // An output of a convolution.
constexpr double kMoved = 0.0672;      // A number of another operator.
constexpr double kFar = 0.0407;        // A number outside of the cache.
constexpr double kOfMatrices = 0.054;  // A product of two images.
constexpr double kScore = 0.85;        // A score of two pixels.
constexpr double kShuffled = 1.24;     // A number that goes to a window.
constexpr int kOutputs = 16;           // Computed at once.
}  // namespace dense

// A vector has 16 numbers.
namespace sparse {
constexpr double kCall = 236;
constexpr double kProduct = 0.4;     // Of a weight and a vector.
constexpr double kAlike = 0.28;      // The same for filters without zeros.
// The same for depthwise convolutions, whose sums are short. If a row is a
// single vector, a tile has few sums. The fit gives 0.3 and 0.9, but then the
// delegate expects too much of chains of such blocks as MobileNetV2 has.
constexpr double kDepthwise = 0.55;
constexpr double kDepthwiseNarrow = 1.6;
constexpr double kWalked = 0.422;    // A weight of a tile.
constexpr double kWritten = 0.782;   // A vector of sums.
constexpr double kPost = 7.84;       // A vector of a post.
constexpr double kBorder = 5.9;      // A vector beside a row.
constexpr double kConverted = 3.25;  // A vector of pixels, channels last.
constexpr double kFew = 7.65;        // The same with few channels.
constexpr double kFar = 2.42;        // A vector outside of the cache.
constexpr double kArranged = 9.6;    // A vector of reordered pixels.
constexpr double kOfMatrices = 0.3;  // The same for vectors.
constexpr double kScore = 3;         // The same for vectors.
// See program.cc.
constexpr double kProductsOfBlock = 20;
constexpr int kChannelsOfBlock = 8;
constexpr int kVectorsOfTile = 10;
constexpr int kRowsOfTile = 4;
}  // namespace sparse

// The same in int8, on a CPU with instructions for dot products of bytes.
// `python benchmarks/delegate.py --only=int8` compares these with measurements.
namespace dense_int8 {
constexpr double kProduct = 0.0042;
constexpr double kWeight = 0.01;
constexpr double kDepthwise = 0.054;
constexpr double kWritten = 0.25;
constexpr double kMoved = 0.2;
constexpr double kResized = 1.1;  // An interpolated number.
constexpr double kPrelu = 3.5;    // XNNPACK does not compute PRELU.
constexpr int kInputs = 8;        // Multiplied at once.
constexpr int kOutputs = 16;      // Computed at once.
}  // namespace dense_int8

// A block has 4 weights, and a vector 64 numbers.
namespace sparse_int8 {
constexpr double kProduct = 0.34;   // Of a block and a vector.
constexpr double kWalked = 0.6;     // A block of a tile.
// The same if four filters are computed at once.
constexpr double kProductAtOnce = 0.285;
constexpr double kSets = 2;         // A vector of four filters.
constexpr double kWritten = 5.5;    // A vector of sums.
constexpr double kAdded = 4;        // A vector of an addition.
constexpr double kPost = 20;        // A vector of a post.
constexpr double kConverted = 30;   // A vector of pixels, channels last.
constexpr double kThree = 10;       // The same with three channels.
}  // namespace sparse_int8

// Numbers that fit into the L2 cache.
constexpr double kNear = 1 << 18;

double far(double numbers) { return numbers > kNear ? numbers : 0; }

double rounded_up(double numbers, int to) {
  return std::ceil(numbers / to) * to;
}

double pixels_of(const Image& image) {
  return double(image.size.height) * image.size.width;
}

double vectors_of(const Image& image) {
  return double(image.size.height) * image.strip;
}

// The number of element-wise functions that need their own pass in a dense
// runtime. It fuses bounds with the operator before.
int passes_of(const Operation& of) {
  int passes = (of.block > 1) + of.copies;
  for (const Post& post : of.posts) passes += post.kind != kClamp;
  return passes;
}

// Whether each filter reads only one of several channels.
bool is_depthwise(const Operation& of, const Image& in) {
  const double area = double(of.kernel.height) * of.kernel.width;
  return of.dense == double(of.bias.size()) * area && in.channels > 1;
}

// An operator that is no convolution reads and writes `numbers` numbers.
double dense_pass(double numbers) {
  return dense::kCall + numbers * dense::kMoved +
         far(2 * numbers) * dense::kFar;
}

double dense_linear(const Operation& of, const Image& in, const Image& out) {
  const double outputs = double(of.bias.size());
  const double pixels = pixels_of(out) / of.block / of.block;
  const double wide = rounded_up(outputs, dense::kOutputs) / outputs;
  const double read = pixels_of(in) * in.channels, made = pixels * outputs;
  int passes = passes_of(of);
  double time = 0;
  if (of.dense == 0) {
    ++passes;  // A copy or a resize.
  } else {
    const bool is_narrow = is_depthwise(of, in);
    const double product = is_narrow ? dense::kDepthwise : dense::kProduct;
    const double products = pixels * of.dense * wide * product;
    const double weights = is_narrow ? 0 : of.dense * dense::kWeight;
    time = dense::kCall + (products + weights) / of.dense_speed +
           made * dense::kWritten + far(read + made) * dense::kFar;
  }
  return time + passes * dense_pass(made);
}

// The number of posts that are not fused with the sums; see program.cc.
size_t posts_left(const Operation& of, const Layout& layout) {
  size_t done = layout.begins_with_image(of);
  if (done < of.posts.size() && of.posts[done].kind == kClamp) ++done;
  return of.posts.size() - done;
}

// The cost of a weight and a vector.
double sparse_product(const Operation& of, const Image& in, int strip) {
  if (is_depthwise(of, in)) {
    return strip > 1 ? sparse::kDepthwise : sparse::kDepthwiseNarrow;
  }
  // Filters without zeros are computed in groups; see alike.h.
  const bool is_full = of.dense > 0 && double(of.weights.size()) == of.dense;
  return is_full ? sparse::kAlike : sparse::kProduct;
}

double sparse_linear(const Operation& of, const Layout& layout) {
  const Image& in = layout.images[of.input];
  const Image& out = layout.images[of.output];
  const double outputs = double(of.bias.size());
  const double weights = double(of.weights.size());
  const int strip = out.strip / of.block;
  const double vectors = vectors_of(out) / of.block / of.block;
  const double tile = std::min({double(sparse::kVectorsOfTile),
                                double(sparse::kRowsOfTile) * strip, vectors});
  const int blocks = std::max(
      1, std::min(int(weights / outputs / sparse::kProductsOfBlock),
                  in.channels / sparse::kChannelsOfBlock));
  const double tiles = vectors / tile;
  return sparse::kCall + vectors * weights * sparse_product(of, in, strip) +
         tiles * weights * sparse::kWalked +
         outputs * vectors * blocks * sparse::kWritten +
         outputs * vectors * double(posts_left(of, layout)) * sparse::kPost +
         double(out.size.height) * (out.left + out.right) * out.channels *
             sparse::kBorder;
}

// Whether it is PRELU with several slopes. LEAKY_RELU has one.
bool is_prelu(const Post& post) {
  bool bends = false, differs = false;
  for (size_t i = 0; post.kind == kLeaky && i < post.a.size(); ++i) {
    bends = bends || post.a[i] != post.b[i];
    differs = differs || post.a[i] != post.a[0];
  }
  return bends && differs;
}

double dense_linear_int8(const Operation& of, const Image& in,
                         const Image& out) {
  const double outputs = double(of.bias.size());
  const double pixels = pixels_of(out) / of.block / of.block;
  const double made = pixels * outputs;
  int passes = (of.block > 1) + of.copies + int(of.posts.size());
  double time = 0;
  if (of.dense == 0) {
    ++passes;
    if (of.weights.size() > of.bias.size()) time = made * dense_int8::kResized;
  } else {
    const double wide =
        rounded_up(in.channels, dense_int8::kInputs) / in.channels *
        rounded_up(outputs, dense_int8::kOutputs) / outputs;
    time = dense::kCall + made * dense_int8::kWritten +
           pixels * of.dense *
               (is_depthwise(of, in) ? dense_int8::kDepthwise
                                     : dense_int8::kProduct * wide) +
           of.dense * dense_int8::kWeight;
  }
  for (const Post& post : of.posts) {
    if (is_prelu(post)) time += made * dense_int8::kPrelu;
  }
  return time + passes * (dense::kCall + made * dense_int8::kMoved);
}

double sparse_linear_int8(const Operation& of, const Layout& layout) {
  const Image& out = layout.images[of.output];
  const double outputs = double(of.bias.size());
  const double blocks = double(blocks_of(of));
  const int strip = out.strip / of.block;
  const double vectors = vectors_of(out) / of.block / of.block;
  const double tile = std::min({double(sparse::kVectorsOfTile),
                                double(sparse::kRowsOfTile) * strip, vectors});
  const double planes = std::ceil(outputs / kBlock);
  const bool adds = layout.begins_with_image(of);
  const double posts = double(of.posts.size()) - (adds ? 1 : 0);
  const double alone =
      blocks * (sparse_int8::kProduct + sparse_int8::kWalked / tile);
  const double at_once =
      blocks * sparse_int8::kProductAtOnce + planes * sparse_int8::kSets;
  // See int8_program.cc.
  const bool may_group = of.stride.width == 1;
  return sparse::kCall +
         vectors * (may_group ? std::min(alone, at_once) : alone) +
         planes * vectors *
             (sparse_int8::kWritten + (adds ? sparse_int8::kAdded : 0) +
              posts * sparse_int8::kPost) +
         double(out.size.height) * (out.left + out.right) * out.planes *
             sparse::kBorder;
}

// QUANTIZE and DEQUANTIZE. Here the conversion of pixels does them.
double dense_conversion(const Operation& of, const Value& value,
                        const Image& image) {
  if (!value.is_int8 || of.pixels == kPixelsInt8) return 0;
  return dense::kCall +
         pixels_of(image) * image.channels * dense_int8::kMoved;
}

// The conversion of an input or output image with `beside` vectors beside a
// row.
double conversion(const Value& value, const Image& image, int beside,
                  bool is_input) {
  if (value.is_int8) {
    const bool is_fast = is_input || image.strip >= kFormatOfCosts.lanes;
    const double each = image.channels == 3 && is_fast
                            ? sparse_int8::kThree
                            : sparse_int8::kConverted;
    return sparse::kCall + double(image.size.height) *
                               (image.strip + beside) * image.planes * each;
  }
  const int lanes = kFormatOfCosts.lanes;
  const double rows = double(image.size.height) * (image.strip + beside);
  if (image.channels < lanes) {
    return sparse::kCall + rows * image.channels * sparse::kFew;
  }
  const double vectors = rows * rounded_up(image.channels, lanes);
  const double numbers = pixels_of(image) * image.channels;
  return sparse::kCall + vectors * (sparse::kConverted +
                                    (far(numbers) > 0 ? sparse::kFar : 0));
}

}  // namespace

// Weights of a block are near each other, because weights are sorted by output,
// row and channel.
int64_t blocks_of(const Operation& of) {
  int64_t blocks = 0;
  const Nonzero* last = nullptr;
  std::vector<bool> columns;
  for (const Nonzero& weight : of.weights) {
    if (!last || weight.output != last->output || weight.row != last->row ||
        weight.channel / kBlock != last->channel / kBlock) {
      columns.assign(size_t(of.kernel.width), false);
    }
    blocks += !columns[size_t(weight.column)];
    columns[size_t(weight.column)] = true;
    last = &weight;
  }
  return blocks;
}

double sparsity(const Network& network) {
  double dense = 0, kept = 0;
  for (const Operation& of : network.operations) {
    dense += of.dense;
    if (of.dense > 0) kept += double(of.weights.size());
  }
  return dense > 0 ? 1 - kept / dense : 0;
}

Cost cost_of(const Network& network, const Layout& layout,
             const Operation& of) {
  Cost cost;
  const int number = of.kind == Operation::kInput ? of.output : of.input;
  const Image& image = layout.images[number];
  const Value& value = network.values[number];
  const double vectors = vectors_of(image) * image.planes;
  switch (of.kind) {
    case Operation::kInput:
      cost.dense += dense_conversion(of, value, image);
      cost.sparse += conversion(value, image, image.left + image.right, true);
      break;
    case Operation::kOutput:
      cost.dense += dense_conversion(of, value, image);
      cost.sparse += conversion(value, image, 0, false);
      break;
    case Operation::kArrange:
      cost.sparse += sparse::kCall + vectors * sparse::kArranged;
      break;
    case Operation::kAttention: {
      const Attention& of_rows = of.attention;
      const double scores = pixels_of(image) * of_rows.pixels *
                            double(of_rows.heads.size());
      const double products =
          scores * (of_rows.channels + of_rows.value_channels);
      const double moved = 2 * pixels_of(image) *
                           double(of_rows.heads.size()) *
                           (of_rows.channels + of_rows.value_channels);
      cost.dense += dense::kCall + products * dense::kOfMatrices +
                    scores * dense::kScore + moved * dense::kShuffled;
      cost.sparse += sparse::kCall +
                     (products * sparse::kOfMatrices +
                      scores * sparse::kScore) / kFormatOfCosts.lanes;
      break;
    }
    case Operation::kMean:
      cost.dense += dense_pass(pixels_of(image) * image.channels);
      cost.sparse += sparse::kCall + vectors * sparse::kPost;
      break;
    case Operation::kQuantize:
    case Operation::kDequantize:
      cost.dense += dense_pass(pixels_of(image) * image.channels);
      cost.sparse += sparse::kCall + vectors * sparse::kPost;
      break;
    case Operation::kAcross: {
      const AcrossTraits& across = kAcrossTraits[of.across];
      cost.dense += vectors * across.dense * sparse::kProduct;
      cost.sparse += vectors * across.sparse * sparse::kProduct;
      [[fallthrough]];
    }
    case Operation::kLinear:
      if (value.is_int8) {
        cost.dense +=
            dense_linear_int8(of, image, layout.images[of.output]);
        cost.sparse += sparse_linear_int8(of, layout);
        break;
      }
      cost.dense += dense_linear(of, image, layout.images[of.output]);
      cost.sparse += sparse_linear(of, layout);
      break;
  }
  return cost;
}

Cost cost_of(const Network& network, const Layout& layout) {
  Cost cost;
  for (const Operation& of : network.operations) {
    const Cost one = cost_of(network, layout, of);
    cost.dense += one.dense;
    cost.sparse += one.sparse;
  }
  return cost;
}

}  // namespace issp
