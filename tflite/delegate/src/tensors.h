// Facts about the tensors of a graph: which are constants, images or lists of
// pixels, and which sizes of images are known.

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

// What is known of the height and width of a tensor.
struct Extent {
  std::string name;  // Tensors of equal names always have equal sizes.
  bool is_pixel = false;
  bool is_known = false;  // Whether it is always that in the file.
};

// What a tensor is on the way to an image whose pixels are normalized: each has
// a mean of 0 and a variance of 1 over its channels.
struct Moment {
  enum Kind {
    kMean,
    kCentered,   // The image without its mean.
    kSquares,    // Of that.
    kVariance,
    kShifted,    // With `epsilon` added.
    kInverse,    // 1 / sqrt of it.
  };
  Kind kind;
  int image;  // A tensor.
  float epsilon = 0;
};

// What a tensor is on the way to attention.
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

// Of an image or a kernel.
constexpr int kLargestChannels = 1 << 16;

class Tensors {
 public:
  explicit Tensors(const tflite::Context& context) : context_(context) {}

  // Notes the constants of the file. Returns what makes one harmful, or
  // nothing.
  std::string find_constants();

  // Notes that a node makes a constant of another.
  void add_constant(int i, int source) { constants_.add(i, source); }
  void add_gathered(int i, int source, int indices) {
    constants_.add_gathered(i, source, indices);
  }

  // Notes whether all images from outside have one pixel, until they are
  // resized.
  void set_placeholders(bool all) { has_placeholders_ = all; }
  bool has_placeholders() const { return has_placeholders_; }

  void set_extent(int i, const Extent& extent) { extents_[i] = extent; }
  void add_list(int i) { lists_.insert(i); }

  // What a tensor is of an image, if that is known.
  std::optional<View> view(int i) const;
  void set_view(int i, View view);
  const Moment* moment(int i) const;
  void set_moment(int i, const Moment& of) { moments_[i] = of; }
  const Scores* scores(int i) const;
  void set_scores(int i, Scores of) { scores_[i] = std::move(of); }
  // Whether only the nodes that know what a tensor is can take it.
  bool is_symbol(int i) const;
  // Whether its pixels are in another order than those of an image.
  bool is_rearranged(int i) const;
  // Whether it is an image that is cut out of another.
  bool is_crop(int i) const;
  // Whether it has some of the channels of an image.
  bool has_some_channels(int i) const;
  // Forgets what nodes were thought to make.
  void forget();

  const tflite::Tensor& at(int i) const { return context_.tensors[i]; }
  bool is_constant(int i) const { return constants_.has(i); }
  // Returns what is wrong with a constant, or nothing.
  std::string read(int i, Constant* constant,
                   Numbers numbers = Numbers::kReal) const {
    return constants_.read(context_, i, constant, numbers);
  }
  // The numbers of a constant of int32, if there are so many; or null.
  const int32_t* integers_of(int i, size_t count) const;

  // Whether a constant has one number, or one for each channel.
  bool is_by_channel(int i, int channels) const;

  bool is_float(int i) const;
  // Whether a tensor has numbers in int8 with one scale, and is no constant.
  bool is_int8(int i) const;
  // Whether it has numbers in a type, with one scale and a zero point.
  bool is_quantized(int i, int type) const;
  // Of such a tensor.
  Quantization quantization(int i) const;
  // The scales of a constant in int8, whose zeros are 0: one, or `count` by
  // this dimension; none if it has others.
  std::vector<float> scales(int i, int dimension, int count) const;
  // Whether a tensor is an image in float32 or int8. One of two dimensions is
  // an image of one pixel, if it is a mean of an image.
  bool is_image(int i) const;
  // Whether what a node makes can be an image.
  bool is_new_image(int i) const;
  // Whether a tensor can be a list of pixels, of any shape, channels last.
  bool may_be_list(int i) const;
  // Whether it is noted as one.
  bool is_list(int i) const { return lists_.count(i) > 0; }
  int channels(int i) const;
  int rank(int i) const;
  // Its dimensions; none if it has no shape.
  std::vector<int> shape(int i) const;

  Extent extent(int i) const;
  // What the file says, without what the nodes before tell.
  Extent extent_in_file(int i) const;

 private:
  const tflite::Context& context_;
  Constants constants_;
  bool has_placeholders_ = false;
  std::map<int, Extent> extents_;
  std::set<int> lists_;
  std::map<int, View> views_;  // Of those that are not the image itself.
  std::map<int, Moment> moments_;
  std::map<int, Scores> scores_;
};

}  // namespace issp

#endif  // ISSP_TENSORS_H_
