#include "scores_added.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

namespace issp {
namespace {

// Limits of the added values in different windows, and of windows times heads
// times images.
constexpr int64_t kMostAdded = 1 << 24;
constexpr int64_t kMostTables = 1 << 20;

// Sums of the values that are added to the scores of each window and head.
class Added {
 public:
  Added(const Operand& queries, int heads, int windows)
      : queries_(queries),
        heads_(heads),
        windows_(windows),
        images_(queries.view.extents[kBatch]),
        side_(count(queries.pixels)),
        kinds_(size_t(windows), 0) {}

  // Reads a constant. Returns the error, or an empty string.
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

  // Finds windows with equal added values. Returns the error, or an empty
  // string.
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

  // The size of a constant along a dimension of the scores.
  int size_of(size_t constant, size_t dimension) const {
    const std::vector<int>& shape = shapes_[constant];
    const size_t rank = queries_.batch.size() + 2;
    const size_t missing = rank - shape.size();
    return dimension < missing ? 1 : shape[dimension - missing];
  }

  // Empty if the images of a batch have different tables.
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
      // The first image of a batch comes first.
      Place& first = all[size_t(window)][size_t(head)];
      if (image == 0) first = place;
      if (!is_same(first, place)) return {};
    }
    return all;
  }

  // Where the table for an index of scores begins in each constant.
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

  // Gets the head, window and image of an index.
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

  // A key for the added values. Equal values have equal keys.
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

}  // namespace

std::string add_up(const Scores& scores, const Operand& queries,
                   const Tensors& tensors, Attention* attention) {
  Added added(queries, queries.heads.size, count(queries.windows));
  for (const Scores::Added& constant : scores.added) {
    const std::string error = added.add(constant, tensors);
    if (!error.empty()) return error;
  }
  return added.find(attention);
}

}  // namespace issp
