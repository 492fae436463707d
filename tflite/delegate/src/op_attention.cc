// Attention: a product of queries and keys, additions of constants, SOFTMAX, and
// a product with values. The last node computes all.

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operators.h"

namespace issp {
namespace {

constexpr char kNoAttention[] =
    "it is no step of attention between pixels of windows of an image";
// Of a window, of what is added in all windows that differ, and of windows,
// heads and images to which something is added.
constexpr int kMostPixels = 1024;
constexpr int64_t kMostAdded = 1 << 24;
constexpr int64_t kMostTables = 1 << 20;

// Queries, keys or values: of each window and head, pixels and channels.
struct Operand {
  View view;
  Digits windows;            // By pixel, of all dimensions but the last two.
  std::vector<Digits> batch;  // Those dimensions.
  Digits pixels;
  int channels = 1;
  Digit heads{kChannels, 1, 0};
};

// Reads an operand of BATCH_MATMUL; `transposed` if its channels come first.
bool read_operand(int tensor, bool transposed, const Tensors& tensors,
                  Operand* of) {
  const std::optional<View> view = tensors.view(tensor);
  if (!view || view->dimensions.size() < 3) return false;
  of->view = *view;
  const size_t rank = view->dimensions.size();
  Digits pixels = view->dimensions[rank - 2];
  Digits channels = view->dimensions[rank - 1];
  if (transposed) std::swap(pixels, channels);
  if (channels.size() > 1) return false;
  if (channels.size() == 1) {
    if (channels[0].axis != kChannels || channels[0].step != 1) return false;
    of->channels = channels[0].size;
  }
  for (const Digit& digit : pixels) {
    if (digit.axis != kDown && digit.axis != kAcrossPixels) return false;
  }
  of->pixels = pixels;
  int heads = 0;
  for (size_t i = 0; i + 2 < rank; ++i) {
    of->batch.push_back(view->dimensions[i]);
    for (const Digit& digit : view->dimensions[i]) {
      if (digit.axis == kChannels) {
        of->heads = digit;
        ++heads;
      } else if (digit.axis != kBatch) {
        of->windows.push_back(digit);
      }
    }
  }
  return heads <= 1;
}

// Whether two operands have the same windows and heads in the same places.
bool is_alike(const Operand& a, const Operand& b) {
  if (a.view.size() != b.view.size() || a.pixels != b.pixels ||
      a.batch.size() != b.batch.size() ||
      a.view.extents[kBatch] != b.view.extents[kBatch] ||
      a.view.begins[kDown] != b.view.begins[kDown] ||
      a.view.begins[kAcrossPixels] != b.view.begins[kAcrossPixels]) {
    return false;
  }
  for (size_t i = 0; i < a.batch.size(); ++i) {
    if (a.batch[i].size() != b.batch[i].size()) return false;
    for (size_t k = 0; k < a.batch[i].size(); ++k) {
      Digit digit = b.batch[i][k];
      if (digit.axis == kChannels) digit.step = a.batch[i][k].step;
      if (!(digit == a.batch[i][k])) return false;
    }
  }
  return true;
}

int count(const Digits& digits) {
  int64_t count = 1;
  for (const Digit& digit : digits) count *= digit.size;
  return int(count);
}

bool read_products(const GraphNode& node, const Tensors& tensors,
                   Operand* queries, Operand* keys) {
  if (!node.node->parameters) return false;
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  return read_operand(node.input(0), of.adjoint_x, tensors, queries) &&
         read_operand(node.input(1), !of.adjoint_y, tensors, keys) &&
         queries->channels == keys->channels && is_alike(*queries, *keys);
}

std::vector<int> shape_of(int tensor, const Tensors& tensors) {
  const tflite::IntArray* shape = tensors.at(tensor).shape;
  return shape ? tflite::to_vector(shape) : std::vector<int>();
}

// The first node, of queries and keys.
const char* check_products(const GraphNode& node, Tensors* tensors) {
  Operand queries, keys;
  if (!read_products(node, *tensors, &queries, &keys)) return kNoAttention;
  const Digits& windows = queries.windows;
  const Arrangement all =
      arrangement_of(queries.view, windows, queries.pixels);
  View pixels = queries.view;
  pixels.dimensions = {windows, queries.pixels,
                       {{kChannels, pixels.channels(), 1}}};
  if (pixels.extents[kBatch] > 1) {
    pixels.dimensions[0].push_back({kBatch, pixels.extents[kBatch], 1});
  }
  pixels.begins[kChannels] = 0;
  if (pixels.channels() == 1) pixels.dimensions[2].clear();
  if (!pixels.has_all_pixels() || all.size().width > kMostPixels ||
      keys.view.factor * queries.view.factor == 0) {
    return kNoAttention;
  }
  const std::vector<int> shape = shape_of(node.output(), *tensors);
  if (shape.size() != queries.batch.size() + 2) return kNoAttention;
  for (size_t i = 0; i < queries.batch.size(); ++i) {
    if (shape[i] != count(queries.batch[i])) return kNoAttention;
  }
  const int side = count(queries.pixels);
  if (shape[shape.size() - 2] != side || shape.back() != side) {
    return kNoAttention;
  }
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  tensors->set_scores(node.output(), {node.input(0), node.input(1), {}, false,
                                      of.adjoint_x, !of.adjoint_y});
  return nullptr;
}

// The last node, of weights and values.
const char* check_means(const GraphNode& node, Tensors* tensors) {
  const Scores& scores = *tensors->scores(node.input(0));
  Operand queries, values;
  if (!scores.is_softmax || !node.node->parameters) return kNoAttention;
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  if (of.adjoint_x || !read_operand(scores.queries, scores.transposes, *tensors,
                                    &queries) ||
      !read_operand(node.input(1), of.adjoint_y, *tensors, &values) ||
      !is_alike(queries, values) || values.view.factor != 1 ||
      !tensors->is_float(node.output())) {
    return kNoAttention;
  }
  View made = queries.view;
  made.factor = 1;
  made.source = node.output();
  made.begins[kChannels] = 0;
  made.extents[kChannels] = queries.heads.size * values.channels;
  made.dimensions = queries.batch;
  for (Digits& digits : made.dimensions) {
    for (Digit& digit : digits) {
      if (digit.axis == kChannels) digit.step = values.channels;
    }
  }
  made.dimensions.push_back(queries.pixels);
  made.dimensions.push_back({});
  if (values.channels > 1) {
    made.dimensions.back() = {{kChannels, values.channels, 1}};
  }
  tensors->set_view(node.output(), std::move(made));
  return nullptr;
}

const char* check_product(const GraphNode& node, Tensors* tensors, Extent*) {
  if (!tensors->is_float(node.output())) return kNoAttention;
  return tensors->scores(node.input(0)) ? check_means(node, tensors)
                                        : check_products(node, tensors);
}

// Adds a constant to scores, or subtracts it. Its shape must be that of the
// scores, but for dimensions of one number.
const char* check_add(const GraphNode& node, Tensors* tensors, Extent*) {
  int a = node.input(0), b = node.input(1);
  if (node.code == tflite::kAdd && !tensors->scores(a)) std::swap(a, b);
  const Scores* scores = tensors->scores(a);
  if (!scores || scores->is_softmax || b < 0 || !tensors->is_constant(b) ||
      !node.node->parameters ||
      node.parameters<tflite::ElementwiseParameters>().activation !=
          tflite::kNoActivation) {
    return kNoAttention;
  }
  const std::vector<int> shape = shape_of(a, *tensors);
  const std::vector<int> added = shape_of(b, *tensors);
  if (added.size() > shape.size() ||
      shape_of(node.output(), *tensors) != shape) {
    return kNoAttention;
  }
  for (size_t i = 0; i < added.size(); ++i) {
    const int size = added[added.size() - 1 - i];
    if (size != 1 && size != shape[shape.size() - 1 - i]) return kNoAttention;
  }
  Scores made = *scores;
  made.added.push_back({b, node.code == tflite::kSub});
  tensors->set_scores(node.output(), std::move(made));
  return nullptr;
}

const char* check_softmax(const GraphNode& node, Tensors* tensors, Extent*) {
  const Scores* scores = tensors->scores(node.input(0));
  if (!scores || scores->is_softmax || !node.node->parameters ||
      node.parameters<tflite::SoftmaxParameters>().beta != 1) {
    return kNoAttention;
  }
  Scores made = *scores;
  made.is_softmax = true;
  tensors->set_scores(node.output(), std::move(made));
  return nullptr;
}

// Multiplies queries or keys by one number.
const char* check_scale(const GraphNode& node, Tensors* tensors, Extent*) {
  int a = node.input(0), b = node.input(1);
  if (a >= 0 && tensors->is_constant(a)) std::swap(a, b);
  std::optional<View> view = tensors->view(a);
  if (!view || b < 0 || !tensors->is_constant(b) ||
      !tensors->is_by_channel(b, 1) || !node.node->parameters ||
      node.parameters<tflite::ElementwiseParameters>().activation !=
          tflite::kNoActivation ||
      tensors->scores(a)) {
    return kNoAttention;
  }
  Constant factor;
  if (!tensors->read(b, &factor).empty()) return kNoAttention;
  view->factor *= factor.dense()[0];
  if (!(view->factor > -1e9f && view->factor < 1e9f)) return kNoAttention;
  tensors->set_view(node.output(), std::move(*view));
  return nullptr;
}

// Sums of what is added to the scores of each window and head.
class Added {
 public:
  Added(const Operand& queries, int heads, int windows)
      : queries_(queries),
        heads_(heads),
        windows_(windows),
        images_(queries.view.extents[kBatch]),
        side_(count(queries.pixels)),
        kinds_(size_t(windows), 0) {}

  // Reads one more constant. Returns what is wrong with it, or nothing.
  std::string add(const Scores::Added& of, const Tensors& tensors) {
    Constant constant;
    const std::string error = tensors.read(of.constant, &constant);
    if (!error.empty()) return error;
    numbers_.push_back(constant.dense());
    if (of.is_subtracted) {
      for (float& number : numbers_.back()) number = -number;
    }
    shapes_.push_back(constant.shape);
    return "";
  }

  // Finds windows to which the same is added. Returns what forbids it, or
  // nothing.
  std::string find(Attention* attention) {
    if (numbers_.empty()) {
      attention->kinds = kinds_;
      return "";
    }
    if (int64_t(windows_) * heads_ > kMostTables / images_) {
      return "it has too many windows";
    }
    const size_t table = size_t(side_) * size_t(side_);
    // The tables of a window, head by head, in each constant.
    std::vector<std::vector<Place>> places = places_of_windows();
    if (places.empty()) {
      return "what is added to its scores is another in each image";
    }
    std::map<std::vector<size_t>, int> known;
    for (int window = 0; window < windows_; ++window) {
      const std::vector<size_t> key = contents_of(places[size_t(window)]);
      const auto [found, is_new] = known.insert({key, int(known.size())});
      kinds_[size_t(window)] = found->second;
      if (!is_new) continue;
      if (int64_t(known.size()) * heads_ * int64_t(table) > kMostAdded) {
        return "what is added to its scores is another in too many windows";
      }
      for (const Place& place : places[size_t(window)]) append(place);
    }
    attention->added = std::move(added_);
    attention->kinds = kinds_;
    return "";
  }

 private:
  // Where the tables of a window and head begin in each constant.
  using Place = std::vector<size_t>;

  // The size of a dimension of a constant, counted as those of scores.
  int size_of(size_t constant, size_t dimension) const {
    const std::vector<int>& shape = shapes_[constant];
    const size_t rank = queries_.batch.size() + 2;
    const size_t missing = rank - shape.size();
    return dimension < missing ? 1 : shape[dimension - missing];
  }

  // None if they are others in another image of a batch.
  std::vector<std::vector<Place>> places_of_windows() const {
    const std::vector<Place> empty{size_t(heads_), Place{}};
    std::vector<std::vector<Place>> all{size_t(windows_), empty};
    const size_t dimensions = queries_.batch.size();
    std::vector<int> sizes;
    int64_t total = 1;
    for (const Digits& digits : queries_.batch) {
      sizes.push_back(count(digits));
      total *= sizes.back();
    }
    for (int64_t flat = 0; flat < total; ++flat) {
      int64_t rest = flat;
      std::vector<int> index(dimensions);
      for (size_t i = dimensions; i-- > 0;) {
        index[i] = int(rest % sizes[i]);
        rest /= sizes[i];
      }
      int head = 0, window = 0, image = 0;
      split(index, &head, &window, &image);
      const Place place = place_of(index);
      // Which is known before that of other images of a batch.
      Place& first = all[size_t(window)][size_t(head)];
      if (image == 0) first = place;
      if (!is_same(first, place)) return {};
    }
    return all;
  }

  // Where the table of scores with an index begins in each constant.
  Place place_of(const std::vector<int>& index) const {
    Place place;
    for (size_t c = 0; c < numbers_.size(); ++c) {
      size_t at = 0;
      for (size_t i = 0; i < index.size(); ++i) {
        const int size = size_of(c, i);
        at = at * size_t(size) + size_t(size == 1 ? 0 : index[i]);
      }
      place.push_back(at * numbers_of_table(c));
    }
    return place;
  }

  size_t numbers_of_table(size_t constant) const {
    const size_t rank = queries_.batch.size();
    return size_t(size_of(constant, rank)) *
           size_t(size_of(constant, rank + 1));
  }

  bool is_same(const Place& a, const Place& b) const {
    for (size_t c = 0; c < numbers_.size(); ++c) {
      if (a[c] != b[c] && !is_same(c, a[c], b[c])) return false;
    }
    return true;
  }

  bool is_same(size_t constant, size_t a, size_t b) const {
    const float* numbers = numbers_[constant].data();
    return !std::memcmp(numbers + a, numbers + b,
                        sizeof(float) * numbers_of_table(constant));
  }

  // Which head, window and image an index is of.
  void split(const std::vector<int>& index, int* head, int* window,
             int* image) const {
    for (size_t i = 0; i < index.size(); ++i) {
      int left = index[i];
      int size = count(queries_.batch[i]);
      for (const Digit& digit : queries_.batch[i]) {
        size /= digit.size;
        const int place = left / size;
        left %= size;
        if (digit.axis == kChannels) {
          *head = place;
        } else if (digit.axis == kBatch) {
          *image = *image * digit.size + place;
        } else {
          *window = *window * digit.size + place;
        }
      }
    }
  }

  // Numbers of contents that are equal where what is added is.
  std::vector<size_t> contents_of(const std::vector<Place>& places) {
    std::vector<size_t> key;
    for (const Place& place : places) {
      for (size_t c = 0; c < place.size(); ++c) {
        key.push_back(content_of(c, place[c]));
      }
    }
    return key;
  }

  size_t content_of(size_t constant, size_t place) {
    std::vector<size_t>& known = contents_[constant];
    for (size_t i = 0; i < known.size(); ++i) {
      if (is_same(constant, known[i], place)) return i;
    }
    known.push_back(place);
    return known.size() - 1;
  }

  void append(const Place& place) {
    const size_t rank = queries_.batch.size();
    for (int query = 0; query < side_; ++query) {
      for (int key = 0; key < side_; ++key) {
        float sum = 0;
        for (size_t c = 0; c < numbers_.size(); ++c) {
          const size_t rows = size_t(size_of(c, rank));
          const size_t columns = size_t(size_of(c, rank + 1));
          sum += numbers_[c][place[c] +
                             (rows == 1 ? 0 : size_t(query)) * columns +
                             (columns == 1 ? 0 : size_t(key))];
        }
        added_.push_back(sum);
      }
    }
  }

  const Operand& queries_;
  const int heads_;
  const int windows_;
  const int images_;
  const int side_;
  std::vector<std::vector<float>> numbers_;  // Of each constant.
  std::vector<std::vector<int>> shapes_;
  std::map<size_t, std::vector<size_t>> contents_;  // Places, by constant.
  std::vector<int> kinds_;
  std::vector<float> added_;
};

std::string build_nothing(const GraphNode&, Builder*) { return ""; }

std::string build_scale(const GraphNode& node, Builder* builder) {
  const int a = node.input(0);
  builder->alias(node.output(),
                 builder->tensors().is_constant(a) ? node.input(1) : a);
  return "";
}

std::string build_product(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  if (tensors.scores(node.output())) return "";
  const Scores& scores = *tensors.scores(node.input(0));
  Operand queries, keys, values;
  read_operand(scores.queries, scores.transposes, tensors, &queries);
  read_operand(scores.keys, scores.transposes_keys, tensors, &keys);
  const auto& of = node.parameters<tflite::BatchMatMulParameters>();
  read_operand(node.input(1), of.adjoint_y, tensors, &values);
  const Arrangement order =
      arrangement_of(queries.view, queries.windows, queries.pixels);
  Operation made;
  made.kind = Operation::kAttention;
  made.name = builder->name_of(node);
  Attention& attention = made.attention;
  attention.channels = queries.channels;
  attention.value_channels = values.channels;
  attention.pixels = count(queries.pixels);
  attention.factor = queries.view.factor * keys.view.factor;
  const int heads = queries.heads.size;
  for (int head = 0; head < heads; ++head) {
    attention.heads.push_back(
        {queries.view.begins[kChannels] + head * queries.heads.step,
         keys.view.begins[kChannels] + head * keys.heads.step,
         values.view.begins[kChannels] + head * values.heads.step});
  }
  Added added(queries, heads, count(queries.windows));
  for (const Scores::Added& constant : scores.added) {
    const std::string error = added.add(constant, tensors);
    if (!error.empty()) return error;
  }
  const std::string error = added.find(&attention);
  if (!error.empty()) return error;
  made.input = builder->arranged(scores.queries, order);
  attention.keys = builder->arranged(scores.keys, order);
  attention.values = builder->arranged(node.input(1), order);
  builder->append_attention(std::move(made), order, node);
  return "";
}

}  // namespace

const Operator kAttentions[] = {
    {tflite::kBatchMatMul, check_product, build_product, Operator::kMoves},
    {tflite::kAdd, check_add, build_nothing, Operator::kMoves},
    {tflite::kSub, check_add, build_nothing, Operator::kMoves},
    {tflite::kSoftmax, check_softmax, build_nothing, Operator::kMoves},
    {tflite::kMul, check_scale, build_scale, Operator::kMoves},
    {},
};

}  // namespace issp
