// Facts about the tensors of a graph: which ones are constants, images or lists
// of pixels, and which image sizes are known.

#ifndef ISSP_TENSORS_H_
#define ISSP_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "constants.h"
#include "post.h"
#include "tflite_abi.h"
#include "views.h"

namespace issp {

// The known facts about the height and width of a tensor.
struct Extent {
  std::string name;  // Tensors with equal names always have equal sizes.
  bool is_pixel = false;
  bool is_known = false;  // Whether it is always the size in the file.
};

// The role of a tensor in layer normalization. That gives each pixel a mean of
// 0 and a variance of 1 over its channels.
struct Moment {
  enum Kind {
    kMean,
    kCentered,   // The image without its mean.
    kSquares,    // Squares of `kCentered`.
    kVariance,
    kShifted,    // With `epsilon` added.
    kInverse,    // 1 / sqrt(`kShifted`).
  };
  Kind kind;
  int image;  // A tensor.
  float epsilon = 0;
};

// The role of a tensor in attention.
struct Scores {
  int queries;  // Tensors.
  int keys;
  struct Added {
    int constant;
    bool is_subtracted;
  };
  std::vector<Added> added;
  bool is_softmax = false;
  bool transposes = false;       // Whether channels of queries come first.
  bool transposes_keys = false;
};

// Limit for an image or a kernel.
constexpr int kLargestChannels = 1 << 16;

class Tensors {
 public:
  explicit Tensors(const tflite::Context& context) : context_(context) {}

  // Finds the constants of the file. Returns why one is harmful, or an empty
  // string.
  std::string find_constants();

  // Records that a node computes a constant from another.
  void add_constant(int i, int source) { constants_.add(i, source); }
  void add_gathered(int i, int source, int indices) {
    constants_.add_gathered(i, source, indices);
  }

  // Records whether all input images have one pixel until they are resized.
  void set_placeholders(bool all) { has_placeholders_ = all; }
  bool has_placeholders() const { return has_placeholders_; }

  void set_extent(int i, const Extent& extent) { extents_[i] = extent; }
  void add_list(int i) { lists_.insert(i); }

  // The tensor as a view of an image, if it is a known one.
  std::optional<View> view(int i) const;
  void set_view(int i, View view);
  const Moment* moment(int i) const;
  void set_moment(int i, const Moment& of) { moments_[i] = of; }
  const Scores* scores(int i) const;
  void set_scores(int i, Scores of) { scores_[i] = std::move(of); }
  // Whether a tensor is a symbol. Only nodes that know its role can use it.
  bool is_symbol(int i) const;
  // Whether its pixels are in another order than that of an image.
  bool is_rearranged(int i) const;
  // Whether it is a crop of another image.
  bool is_crop(int i) const;
  // Whether it has only some channels of an image.
  bool has_some_channels(int i) const;
  // Forgets the assumed results of nodes.
  void forget();

  const tflite::Tensor& at(int i) const { return context_.tensors[i]; }
  bool is_constant(int i) const { return constants_.has(i); }
  // Reads a constant. Returns the error, or an empty string.
  std::string read(int i, Constant* constant,
                   Numbers numbers = Numbers::kReal) const {
    return constants_.read(context_, i, constant, numbers);
  }
  // The numbers of an int32 constant with `count` numbers, or null.
  const int32_t* integers_of(int i, size_t count) const;

  // Whether a constant has one number, or one for each channel.
  bool is_by_channel(int i, int channels) const;

  bool is_float(int i) const;
  // Whether a tensor is int8 with one scale, and not a constant.
  bool is_int8(int i) const;
  // Whether a tensor has this type, one scale and a zero point.
  bool is_quantized(int i, int type) const;
  // The quantization of such a tensor.
  Quantization quantization(int i) const;
  // The scales of an int8 constant with zero points of 0. There is one, or
  // `count` along this dimension. Returns none for other constants.
  std::vector<float> scales(int i, int dimension, int count) const;
  // Whether a tensor is an image in float32 or int8. A mean of an image that
  // has two dimensions counts as an image of one pixel.
  bool is_image(int i) const;
  // Whether the result of a node can be an image.
  bool is_new_image(int i) const;
  // Whether a tensor can be a list of pixels, of any shape, channels last.
  bool may_be_list(int i) const;
  // Whether a tensor is recorded as a list.
  bool is_list(int i) const { return lists_.count(i) > 0; }
  int channels(int i) const;
  int rank(int i) const;
  // The dimensions of a tensor; none if it has no shape.
  std::vector<int> shape(int i) const;

  Extent extent(int i) const;
  // The extent in the file, without facts from the nodes before.
  Extent extent_in_file(int i) const;

 private:
  const tflite::Context& context_;
  Constants constants_;
  bool has_placeholders_ = false;
  std::map<int, Extent> extents_;
  std::set<int> lists_;
  std::map<int, View> views_;  // Except for whole images.
  std::map<int, Moment> moments_;
  std::map<int, Scores> scores_;
};

}  // namespace issp

#endif  // ISSP_TENSORS_H_
