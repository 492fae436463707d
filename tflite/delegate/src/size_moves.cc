// Operators that move numbers.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "size_rules.h"

namespace issp {
namespace {

// The same numbers in another shape.
Made reshaped(const KnownNode& node, Shape shape) {
  Known made{std::move(shape), std::nullopt};
  if (const Array* of = node.numbers(0)) {
    made.numbers = Array{made.shape, of->values};
  }
  return made;
}

Made reshape(const KnownNode& node) {
  const Shape* from = node.shape(0);
  std::optional<Shape> to = node.whole(1);
  if (!from || !to) return std::nullopt;
  int64_t count = 1, known = 1;
  for (int size : *from) count *= size;
  int* open = nullptr;
  for (int& size : *to) {
    if (size == -1 && !open) {
      open = &size;
    } else if (size < 0) {
      return std::nullopt;
    } else {
      known *= size;
      if (known > count) return std::nullopt;
    }
  }
  if (open && known) *open = int(count / known);
  if (open ? !known || known * *open != count : known != count) {
    return std::nullopt;
  }
  return reshaped(node, *to);
}

Made expand(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto axis = node.whole(1, 1);
  if (!from || !axis) return std::nullopt;
  const int at = dimension((*axis)[0], from->size() + 1);
  if (at < 0) return std::nullopt;
  Shape made = *from;
  made.insert(made.begin() + at, 1);
  return reshaped(node, std::move(made));
}

Made transpose(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto order = from ? node.whole(1, int(from->size())) : std::nullopt;
  if (!order) return std::nullopt;
  const std::vector<int64_t> all = strides_of(*from);
  Known made;
  std::vector<int64_t> strides;
  for (int i : *order) {
    if (i < 0 || i >= int(from->size())) return std::nullopt;
    made.shape.push_back((*from)[i]);
    strides.push_back(all[i]);
  }
  // A repeated dimension would give a different number of elements.
  if (count_of(made.shape) != count_of(*from)) return std::nullopt;
  if (const Array* of = node.numbers(0)) {
    made.numbers = pick(*of, made.shape, 0, strides);
  }
  return made;
}

Made slice(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const int rank = from ? int(from->size()) : 0;
  const auto begins = node.whole(1, rank), sizes = node.whole(2, rank);
  if (!from || !begins || !sizes) return std::nullopt;
  const std::vector<int64_t> strides = strides_of(*from);
  Known made;
  int64_t begin = 0;
  for (int i = 0; i < rank; ++i) {
    const int first = (*begins)[i], whole = (*from)[i];
    if (first < 0 || first > whole) return std::nullopt;
    const int size = (*sizes)[i] == -1 ? whole - first : (*sizes)[i];
    if (size < 0 || size > whole - first) return std::nullopt;
    begin += first * strides[i];
    made.shape.push_back(size);
  }
  if (const Array* of = node.numbers(0)) {
    made.numbers = pick(*of, made.shape, begin, strides);
  }
  return made;
}

// The begin or end of a slice, within the dimension. Negative values count from
// the end.
int bound(int at, int size) {
  if (at < 0) at += size;
  return std::min(std::max(at, 0), size);
}

// The elements that a STRIDED_SLICE picks from an array.
struct Strides {
  Shape kept;                  // Shape of the result.
  Shape picked;                // The same with vanishing dimensions.
  std::vector<int64_t> steps;  // Elements, by dimension of `picked`.
  int64_t first = 0;

  // Slices a dimension of `size` elements that are `apart` elements apart.
  // Returns whether this is possible.
  bool take(int size, int64_t apart, int begin, int end, int stride,
            bool vanishes) {
    if (vanishes) end = begin + 1;
    if (stride < 1 || (vanishes && begin >= size)) return false;
    const int length = end > begin ? (end - begin - 1) / stride + 1 : 0;
    first += begin * apart;
    picked.push_back(length);
    steps.push_back(apart * stride);
    if (!vanishes) kept.push_back(length);
    return true;
  }
};

Made strided_slice(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto* of = node.parameters<tflite::StridedSliceParameters>();
  const auto begins = node.whole(1), ends = node.whole(2), by = node.whole(3);
  if (!from || !of || !begins || !ends || !by || of->ellipsis_mask ||
      ends->size() != begins->size() || by->size() != begins->size()) {
    return std::nullopt;
  }
  const std::vector<int64_t> apart = strides_of(*from);
  Strides all;
  size_t next = 0;  // Dimension.
  for (size_t i = 0; i < begins->size(); ++i) {
    if (of->new_axis_mask >> i & 1) {
      all.take(1, 0, 0, 1, 1, false);
      continue;
    }
    if (next == from->size()) return std::nullopt;
    const int size = (*from)[next];
    const int begin = of->begin_mask >> i & 1 ? 0 : bound((*begins)[i], size);
    const int end = of->end_mask >> i & 1 ? size : bound((*ends)[i], size);
    if (!all.take(size, apart[next], begin, end, (*by)[i],
                  of->shrink_axis_mask >> i & 1)) {
      return std::nullopt;
    }
    ++next;
  }
  for (; next < from->size(); ++next) {
    all.take((*from)[next], apart[next], 0, (*from)[next], 1, false);
  }
  Known made{all.kept, std::nullopt};
  if (const Array* numbers = node.numbers(0)) {
    made.numbers = pick(*numbers, all.picked, all.first, all.steps);
    made.numbers->shape = all.kept;
  }
  return made;
}

Made pack(const KnownNode& node) {
  const Shape* first = node.shape(0);
  const auto* of = node.parameters<tflite::PackParameters>();
  if (!first || !of || !first->empty() || of->axis) return std::nullopt;
  Array made{{node.inputs()}, {}};
  for (int i = 0; i < node.inputs(); ++i) {
    const Array* number = node.numbers(i);
    if (!number || number->values.size() != 1) return std::nullopt;
    made.values.push_back(number->values[0]);
  }
  return of_array(std::move(made));
}

Made tile(const KnownNode& node) {
  const Array* of = node.numbers(0);
  const auto times = of ? node.whole(1, int(of->shape.size())) : std::nullopt;
  if (!times) return std::nullopt;
  // Each dimension becomes two. The first one repeats.
  Shape doubled, tiled;
  std::vector<int64_t> strides;
  const std::vector<int64_t> all = strides_of(of->shape);
  for (size_t i = 0; i < of->shape.size(); ++i) {
    const int64_t size = int64_t{(*times)[i]} * of->shape[i];
    if ((*times)[i] < 0 || size > std::numeric_limits<int>::max()) {
      return std::nullopt;
    }
    tiled.push_back(int(size));
    doubled.insert(doubled.end(), {(*times)[i], of->shape[i]});
    strides.insert(strides.end(), {0, all[i]});
  }
  if (count_of(tiled) < 0) return std::nullopt;
  Array made = pick(*of, doubled, 0, strides);
  made.shape = tiled;
  return of_array(std::move(made));
}

Made gather(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto* of = node.parameters<tflite::GatherParameters>();
  const Shape* places = node.shape(1);
  if (!from || !of || !places || of->batch_dimensions) return std::nullopt;
  const int axis = dimension(of->axis, from->size());
  if (axis < 0) return std::nullopt;
  Known made;
  made.shape.assign(from->begin(), from->begin() + axis);
  made.shape.insert(made.shape.end(), places->begin(), places->end());
  made.shape.insert(made.shape.end(), from->begin() + axis + 1, from->end());
  const Array *numbers = node.numbers(0), *indices = node.numbers(1);
  if (numbers && indices && axis == 0 && from->size() == 1) {
    made.numbers = Array{made.shape, {}};
    for (double index : indices->values) {
      if (!(index >= 0 && index < (*from)[0])) return std::nullopt;
      made.numbers->values.push_back(numbers->values[size_t(index)]);
    }
  }
  return made;
}

Made concatenate(const KnownNode& node) {
  const auto* of = node.parameters<tflite::ConcatenationParameters>();
  const Shape* first = node.shape(0);
  if (!of || !first) return std::nullopt;
  const int axis = dimension(of->axis, first->size());
  if (axis < 0) return std::nullopt;
  Known made{*first, std::nullopt};
  const bool is_row = first->size() == 1 && node.numbers(0);
  std::vector<double> values = is_row ? node.numbers(0)->values
                                      : std::vector<double>();
  bool has_all = is_row;
  for (int i = 1; i < node.inputs(); ++i) {
    const Shape* next = node.shape(i);
    if (!next || next->size() != first->size()) return std::nullopt;
    made.shape[axis] += (*next)[axis];
    if (made.shape[axis] > kLargestSize) return std::nullopt;
    has_all = has_all && node.numbers(i);
    if (!has_all) continue;
    const std::vector<double>& more = node.numbers(i)->values;
    values.insert(values.end(), more.begin(), more.end());
  }
  if (has_all) made.numbers = Array{made.shape, std::move(values)};
  return made;
}

}  // namespace

Rule rule_of_move(int code) {
  switch (code) {
    case tflite::kReshape:
      return reshape;
    case tflite::kExpandDims:
      return expand;
    case tflite::kTranspose:
      return transpose;
    case tflite::kSlice:
      return slice;
    case tflite::kStridedSlice:
      return strided_slice;
    case tflite::kPack:
      return pack;
    case tflite::kTile:
      return tile;
    case tflite::kGather:
      return gather;
    case tflite::kConcatenation:
      return concatenate;
    default:
      return nullptr;
  }
}

}  // namespace issp
