// A part of a TFLite graph, as the delegate computes it.
//
// Every linear operation on an image, from convolutions to copies, is a
// `kLinear` with a list of non-zero weights. Element-wise operations after it
// (`Post`) and DEPTH_TO_SPACE are part of it. `kAcross` is a function of all
// channels of a pixel. It may have the same parts after it. Attention of
// transformers is computed in images whose rows are windows. `kArrange` brings
// pixels into that order and back.

#ifndef ISSP_NETWORK_H_
#define ISSP_NETWORK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "across.h"
#include "post.h"

namespace issp {

struct Size {
  int height = 0;
  int width = 0;

  bool operator==(const Size& other) const {
    return height == other.height && width == other.width;
  }
  bool operator!=(const Size& other) const { return !(*this == other); }
};

struct Nonzero {
  int output;  // Channel.
  int row;
  int column;
  int channel;
  float value;
};

struct Post {
  PostKind kind;
  bool shuffled = false;  // Whether it is after DEPTH_TO_SPACE.
  int value = -1;
  // If not 0, that image has only so many channels, which repeat.
  int repeated = 0;
  float low = 0;
  float high = 0;
  std::vector<float> a;  // By channel.
  std::vector<float> b;
  // For int8. Each post ends with int8 numbers, and `low` and `high` are such
  // numbers.
  Int8Addition addition;        // Of `kAdd` and `kAffine`.
  // Of `kAffine`, and factors of `kMultiply` without an image, by channel.
  std::vector<int32_t> biases;
  float factor = 0;  // Of `kMultiply`; in `kLeaky`, added to round.
  std::vector<uint8_t> table;   // Of `kLogistic`, by number + 128.
  int zero_point = 0;           // Of the input.
  int other_zero_point = 0;
  int made_zero_point = 0;

  // The channel of the other image for `channel`.
  int channel_of_other(int channel) const {
    return repeated ? channel % repeated : channel;
  }
};

// How an image is padded with zeros.
struct Padding {
  bool same = false;  // TensorFlow's "same", plus the following.
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

struct Value {
  int channels = 0;
  // Whether the image is padded with its border, and not with zeros.
  bool repeats = false;
  bool is_int8 = false;
  Quantization quantization;  // Of int8.

  // Vectors that store one pixel per lane.
  int planes() const {
    return is_int8 ? (channels + kBlock - 1) / kBlock : channels;
  }
};

// How a linear operation in int8 scales its sums.
struct Int8Linear {
  std::vector<int32_t> bias;
  std::vector<float> multipliers;  // By output.
  float low = kLeastInt8;
  float high = kMostInt8;
  int zero_point = 0;
};

// Attention in each row of an image. A pixel becomes the mean of the values of
// its row. The weights are a softmax of the products of its query and the keys.
struct Attention {
  struct Head {
    int query;  // The first channel of each.
    int key;
    int value;
  };
  int keys = -1;    // Values.
  int values = -1;
  std::vector<Head> heads;
  int channels = 0;       // Of a query or key of a head.
  int value_channels = 0;
  int pixels = 0;         // Of a row.
  float factor = 1;       // Of query-key products.
  // Added to these products, by kind of row, head, query and key. May be empty.
  std::vector<float> added;
  std::vector<int> kinds;  // By row.
};

struct Operation {
  enum Kind {
    kInput,   // From a tensor of the runtime, channels last.
    kLinear,
    kAcross,  // A function of all channels of a pixel.
    kArrange,    // Reorders all pixels.
    kAttention,
    kMean,    // Over height and width.
    kQuantize,    // From float32 to int8.
    kDequantize,  // From int8 to float32.
    kOutput,  // To a tensor of the runtime.
  };
  Kind kind;
  int input = -1;   // Value.
  int output = -1;  // Value.
  int tensor = -1;  // Of the runtime, of `kInput` and `kOutput`.
  bool rows = false;  // Whether it is a list of pixels.
  PixelType pixels = kPixelsFloat32;  // Of that tensor.
  // Of `kAcross`.
  AcrossKind across = kAcrossKinds;
  float number = 0;  // The parameter of its function.
  // Of `kArrange`: the source of each pixel, row by row, and the sizes before
  // and after.
  std::shared_ptr<const std::vector<int>> sources;
  Size arranged_from;
  Size arranged_to;
  Attention attention;  // Of `kAttention`.
  // Of `kLinear` and `kAcross`.
  std::vector<Nonzero> weights;  // By output, row, channel, column.
  std::vector<float> bias;  // In int8, only its size is used.
  Int8Linear int8;
  Size kernel{1, 1};
  Size stride{1, 1};
  Size dilation{1, 1};
  Padding padding;
  std::vector<Post> posts;
  int block = 1;  // Of DEPTH_TO_SPACE.
  // Copies for its posts that only a dense runtime makes; see `fold_copies`.
  int copies = 0;
  Size expected;  // The only possible output size, if not 0.
  // Multiply-adds per pixel of a dense kernel, and the speed of the runtime
  // relative to float32.
  double dense = 0;
  double dense_speed = 1;
  std::string name;

  // Whether it is computed tile by tile, and may have `posts` and `block`.
  bool has_tiles() const {
    return kind == kLinear || kind == kAcross || kind == kQuantize ||
           kind == kDequantize;
  }

  // Whether each pixel depends only on the same pixel of the input.
  bool is_pixelwise() const {
    return (kind == kLinear || kind == kAcross) && kernel == Size{1, 1} &&
           stride == Size{1, 1} && block == 1 && !padding.top &&
           !padding.bottom && !padding.left && !padding.right;
  }
};

// Calls `visit(value, post)` for each value that an operation uses. `post` is
// null for values that no post uses.
template <class Visit>
void visit_operands(const Operation& of, const Visit& visit) {
  for (int value : {of.input, of.attention.keys, of.attention.values}) {
    if (value >= 0) visit(value, static_cast<const Post*>(nullptr));
  }
  for (const Post& post : of.posts) {
    if (post.value >= 0) visit(post.value, &post);
  }
}

// The output channel of sum `o`, after DEPTH_TO_SPACE.
inline int channel_of(const Operation& of, int o) {
  return o % (int(of.bias.size()) / (of.block * of.block));
}

struct Network {
  std::vector<Value> values;
  std::vector<Operation> operations;  // In the order of their execution.

  bool has_attention() const {
    for (const Operation& of : operations) {
      if (of.kind == Operation::kAttention) return true;
    }
    return false;
  }

  bool has_int8() const {
    for (const Value& value : values) {
      if (value.is_int8) return true;
    }
    return false;
  }
};

}  // namespace issp

#endif  // ISSP_NETWORK_H_
