#include "size_operators.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace issp {
namespace {

// Larger than any image. `measure.cc` has the same limit of sides.
constexpr int kLargestSize = 1 << 26;
constexpr double kMostElements = 1e15;

using Made = std::optional<Known>;

// The dimension of an axis, or -1. A negative axis counts from the end.
int dimension(int axis, size_t rank) {
  const int places = int(rank);
  if (axis < -places || axis >= places) return -1;
  return axis < 0 ? axis + places : axis;
}

Made of_array(std::optional<Array> array) {
  if (!array) return std::nullopt;
  Shape shape = array->shape;
  return Known{std::move(shape), std::move(array)};
}

Made of_shape(std::optional<Shape> shape) {
  if (!shape) return std::nullopt;
  return Known{*std::move(shape), std::nullopt};
}

// A result with the shape of the input.
Made same(const Step& step) {
  const Shape* shape = step.shape(0);
  return shape ? Made(Known{*shape, std::nullopt}) : std::nullopt;
}

double binary(int code, bool is_whole, double a, double b) {
  switch (code) {
    case tflite::kAdd:
      return a + b;
    case tflite::kSub:
      return a - b;
    case tflite::kMul:
      return a * b;
    case tflite::kMaximum:
      return std::max(a, b);
    case tflite::kMinimum:
      return std::min(a, b);
    case tflite::kDiv:
      return is_whole ? std::trunc(a / b) : a / b;
    case tflite::kFloorDiv:
      return std::floor(a / b);
    case tflite::kFloorMod:
      return a - b * std::floor(a / b);
    case tflite::kLess:
      return a < b;
    case tflite::kLessEqual:
      return a <= b;
    case tflite::kGreater:
      return a > b;
    case tflite::kGreaterEqual:
      return a >= b;
    case tflite::kEqual:
      return a == b;
    case tflite::kNotEqual:
      return a != b;
    case tflite::kLogicalAnd:
      return a && b;
    case tflite::kLogicalOr:
      return a || b;
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

Made elementwise(const Step& step) {
  const Shape *a = step.shape(0), *b = step.shape(1);
  if (!a || !b) return std::nullopt;
  const Array *of_a = step.numbers(0), *of_b = step.numbers(1);
  if (!of_a || !of_b) return of_shape(broadcast(*a, *b));
  const bool is_whole = step.type(0) != tflite::kFloat32;
  return of_array(map(*of_a, *of_b, [&](double x, double y) {
    return binary(step.code(), is_whole, x, y);
  }));
}

Made unary(const Step& step) {
  const Array* of = step.numbers(0);
  const int to = step.made_type();
  const bool unpacks = step.code() == tflite::kDequantize;
  // Numbers of other types have scales.
  if (!of || (unpacks && step.type(0) != tflite::kFloat16)) return same(step);
  return of_array(map(*of, [&](double x) {
    if (step.code() == tflite::kNeg) return -x;
    if (step.code() == tflite::kLogicalNot) return double(!x);
    // CAST and DEQUANTIZE.
    return to == tflite::kFloat32 ? double(float(x))
           : to == tflite::kBool  ? double(x != 0)
                                  : std::trunc(x);
  }));
}

Made shape(const Step& step) {
  const Shape* of = step.shape(0);
  if (!of) return std::nullopt;
  Array made{{int(of->size())}, {}};
  made.values.assign(of->begin(), of->end());
  return of_array(std::move(made));
}

Made select(const Step& step) {
  const Array *condition = step.numbers(0), *then = step.numbers(1),
              *otherwise = step.numbers(2);
  if (!condition || !then || !otherwise) return std::nullopt;
  std::optional<Shape> all = broadcast(then->shape, otherwise->shape);
  if (all) all = broadcast(*all, condition->shape);
  if (!all || count_of(*all) < 0) return std::nullopt;
  Array made = spread(*condition, *all);
  const Array a = spread(*then, *all), b = spread(*otherwise, *all);
  for (size_t i = 0; i < made.values.size(); ++i) {
    made.values[i] = made.values[i] ? a.values[i] : b.values[i];
  }
  return of_array(std::move(made));
}

// The same numbers in another shape.
Made reshaped(const Step& step, Shape shape) {
  Known made{std::move(shape), std::nullopt};
  if (const Array* of = step.numbers(0)) {
    made.numbers = Array{made.shape, of->values};
  }
  return made;
}

Made reshape(const Step& step) {
  const Shape* from = step.shape(0);
  std::optional<Shape> to = step.whole(1);
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
  return reshaped(step, *to);
}

Made expand(const Step& step) {
  const Shape* from = step.shape(0);
  const auto axis = step.whole(1, 1);
  if (!from || !axis) return std::nullopt;
  const int at = dimension((*axis)[0], from->size() + 1);
  if (at < 0) return std::nullopt;
  Shape made = *from;
  made.insert(made.begin() + at, 1);
  return reshaped(step, std::move(made));
}

Made transpose(const Step& step) {
  const Shape* from = step.shape(0);
  const auto order = from ? step.whole(1, int(from->size())) : std::nullopt;
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
  if (const Array* of = step.numbers(0)) {
    made.numbers = pick(*of, made.shape, 0, strides);
  }
  return made;
}

Made slice(const Step& step) {
  const Shape* from = step.shape(0);
  const int rank = from ? int(from->size()) : 0;
  const auto begins = step.whole(1, rank), sizes = step.whole(2, rank);
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
  if (const Array* of = step.numbers(0)) {
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

Made strided_slice(const Step& step) {
  const Shape* from = step.shape(0);
  const auto* of = step.parameters<tflite::StridedSliceParameters>();
  const auto begins = step.whole(1), ends = step.whole(2), by = step.whole(3);
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
  if (const Array* numbers = step.numbers(0)) {
    made.numbers = pick(*numbers, all.picked, all.first, all.steps);
    made.numbers->shape = all.kept;
  }
  return made;
}

Made pack(const Step& step) {
  const Shape* first = step.shape(0);
  const auto* of = step.parameters<tflite::PackParameters>();
  if (!first || !of || !first->empty() || of->axis) return std::nullopt;
  Array made{{step.inputs()}, {}};
  for (int i = 0; i < step.inputs(); ++i) {
    const Array* number = step.numbers(i);
    if (!number || number->values.size() != 1) return std::nullopt;
    made.values.push_back(number->values[0]);
  }
  return of_array(std::move(made));
}

Made range(const Step& step) {
  const Array *from = step.numbers(0), *to = step.numbers(1),
              *by = step.numbers(2);
  for (const Array* of : {from, to, by}) {
    if (!of || of->values.size() != 1) return std::nullopt;
  }
  const double first = from->values[0], stride = by->values[0];
  const double count = std::ceil((to->values[0] - first) / stride);
  if (!stride || !(count < 1 << 24)) return std::nullopt;
  Array made{{int(std::max(count, 0.0))}, {}};
  for (int i = 0; i < made.shape[0]; ++i) {
    made.values.push_back(first + i * stride);
  }
  return of_array(std::move(made));
}

Made tile(const Step& step) {
  const Array* of = step.numbers(0);
  const auto times = of ? step.whole(1, int(of->shape.size())) : std::nullopt;
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

Made fill(const Step& step) {
  const bool is_fill = step.code() == tflite::kFill;
  const auto shape = step.whole(is_fill ? 0 : 1);
  const Array* of = step.numbers(is_fill ? 1 : 0);
  if (!shape || !of || count_of(*shape) < 0) return std::nullopt;
  const auto whole = broadcast(of->shape, *shape);
  if (!whole || *whole != *shape) return std::nullopt;
  return of_array(spread(*of, *shape));
}

Made gather(const Step& step) {
  const Shape* from = step.shape(0);
  const auto* of = step.parameters<tflite::GatherParameters>();
  const Shape* places = step.shape(1);
  if (!from || !of || !places || of->batch_dimensions) return std::nullopt;
  const int axis = dimension(of->axis, from->size());
  if (axis < 0) return std::nullopt;
  Known made;
  made.shape.assign(from->begin(), from->begin() + axis);
  made.shape.insert(made.shape.end(), places->begin(), places->end());
  made.shape.insert(made.shape.end(), from->begin() + axis + 1, from->end());
  const Array *numbers = step.numbers(0), *indices = step.numbers(1);
  if (numbers && indices && axis == 0 && from->size() == 1) {
    made.numbers = Array{made.shape, {}};
    for (double index : indices->values) {
      if (!(index >= 0 && index < (*from)[0])) return std::nullopt;
      made.numbers->values.push_back(numbers->values[size_t(index)]);
    }
  }
  return made;
}

Made concatenate(const Step& step) {
  const auto* of = step.parameters<tflite::ConcatenationParameters>();
  const Shape* first = step.shape(0);
  if (!of || !first) return std::nullopt;
  const int axis = dimension(of->axis, first->size());
  if (axis < 0) return std::nullopt;
  Known made{*first, std::nullopt};
  const bool is_row = first->size() == 1 && step.numbers(0);
  std::vector<double> values = is_row ? step.numbers(0)->values
                                      : std::vector<double>();
  bool has_all = is_row;
  for (int i = 1; i < step.inputs(); ++i) {
    const Shape* next = step.shape(i);
    if (!next || next->size() != first->size()) return std::nullopt;
    made.shape[axis] += (*next)[axis];
    if (made.shape[axis] > kLargestSize) return std::nullopt;
    has_all = has_all && step.numbers(i);
    if (!has_all) continue;
    const std::vector<double>& more = step.numbers(i)->values;
    values.insert(values.end(), more.begin(), more.end());
  }
  if (has_all) made.numbers = Array{made.shape, std::move(values)};
  return made;
}

// SUM, REDUCE_PROD and MEAN. Numbers are only known if all dimensions are
// reduced.
Made reduce(const Step& step) {
  const Shape* from = step.shape(0);
  const auto* of = step.parameters<tflite::ReducerParameters>();
  const auto axes = step.whole(1);
  if (!from || !of || !axes) return std::nullopt;
  std::vector<bool> is_gone(from->size(), false);
  for (int axis : *axes) {
    const int at = dimension(axis, from->size());
    if (at < 0) return std::nullopt;
    is_gone[at] = true;
  }
  Known made;
  for (size_t i = 0; i < from->size(); ++i) {
    if (!is_gone[i]) made.shape.push_back((*from)[i]);
    if (is_gone[i] && of->keep_dimensions) made.shape.push_back(1);
  }
  const Array* numbers = step.numbers(0);
  const bool is_all = std::count(is_gone.begin(), is_gone.end(), false) == 0;
  if (numbers && is_all && step.code() != tflite::kMean) {
    double total = step.code() == tflite::kSum ? 0 : 1;
    for (double x : numbers->values) {
      total = step.code() == tflite::kSum ? total + x : total * x;
    }
    made.numbers = Array{made.shape, {total}};
  }
  return made;
}

// The output length of a window for `in` pixels; 0 if it does not fit.
int windowed(int in, int window, int stride, int dilation, int padding) {
  if (stride < 1 || dilation < 1 || window < 1) return 0;
  if (padding == tflite::kSame) return (in - 1) / stride + 1;
  const int64_t extent = int64_t{window - 1} * dilation + 1;
  return in < extent ? 0 : int((in - extent) / stride) + 1;
}

template <class P>
Made convolution(const Step& step, int channels_of_kernel) {
  const Shape *image = step.shape(0), *kernel = step.shape(1);
  const P* of = step.parameters<P>();
  if (!image || !kernel || !of || image->size() != 4 || kernel->size() != 4) {
    return std::nullopt;
  }
  const int height = windowed((*image)[1], (*kernel)[1], of->stride_height,
                              of->dilation_height, of->padding);
  const int width = windowed((*image)[2], (*kernel)[2], of->stride_width,
                             of->dilation_width, of->padding);
  if (height < 1 || width < 1) return std::nullopt;
  return of_shape(
      Shape{(*image)[0], height, width, (*kernel)[channels_of_kernel]});
}

Made fully_connected(const Step& step) {
  const Shape *image = step.shape(0), *kernel = step.shape(1);
  const auto* of = step.parameters<tflite::FullyConnectedParameters>();
  if (!image || !kernel || !of || image->empty() || kernel->size() != 2 ||
      (*kernel)[1] < 1) {
    return std::nullopt;
  }
  Shape made = *image;
  if (of->keep_dimensions) {
    made.back() = (*kernel)[0];
    return of_shape(made);
  }
  const int64_t count = count_of(*image);
  if (count < 0) return std::nullopt;
  return of_shape(Shape{int(count / (*kernel)[1]), (*kernel)[0]});
}

Made batch_mat_mul(const Step& step) {
  const Shape *a = step.shape(0), *b = step.shape(1);
  const auto* of = step.parameters<tflite::BatchMatMulParameters>();
  if (!a || !b || !of || a->size() < 2 || b->size() < 2) return std::nullopt;
  std::optional<Shape> made = broadcast(Shape(a->begin(), a->end() - 2),
                                        Shape(b->begin(), b->end() - 2));
  if (!made) return std::nullopt;
  made->push_back((*a)[a->size() - (of->adjoint_x ? 1 : 2)]);
  made->push_back((*b)[b->size() - (of->adjoint_y ? 2 : 1)]);
  return of_shape(made);
}

Made pad(const Step& step) {
  const Shape* from = step.shape(0);
  const auto by = from ? step.whole(1, 2 * int(from->size())) : std::nullopt;
  if (!by) return std::nullopt;
  Shape made = *from;
  for (size_t i = 0; i < made.size(); ++i) {
    const int64_t size =
        int64_t{made[i]} + (*by)[2 * i] + (*by)[2 * i + 1];
    if (size < 0 || size > std::numeric_limits<int>::max()) return std::nullopt;
    made[i] = int(size);
  }
  return of_shape(made);
}

Made depth_to_space(const Step& step) {
  const Shape* from = step.shape(0);
  const auto* of = step.parameters<tflite::DepthToSpaceParameters>();
  constexpr int kMostBlock = 256;
  if (!from || !of || from->size() != 4 || of->block_size < 1 ||
      of->block_size > kMostBlock ||
      std::max((*from)[1], (*from)[2]) > (1 << 22)) {
    return std::nullopt;
  }
  const int block = of->block_size;
  return of_shape(Shape{(*from)[0], (*from)[1] * block, (*from)[2] * block,
                        (*from)[3] / (block * block)});
}

Made resize(const Step& step) {
  const Shape* from = step.shape(0);
  const auto to = step.whole(1, 2);
  if (!from || !to || from->size() != 4) return std::nullopt;
  return of_shape(Shape{(*from)[0], (*to)[0], (*to)[1], (*from)[3]});
}

using Maker = Made (*)(const Step&);

Maker maker(int code) {
  switch (code) {
    case tflite::kConv2D:
      return [](const Step& step) {
        return convolution<tflite::ConvParameters>(step, 0);
      };
    case tflite::kDepthwiseConv2D:
      return [](const Step& step) {
        return convolution<tflite::DepthwiseConvParameters>(step, 3);
      };
    case tflite::kFullyConnected:
      return fully_connected;
    case tflite::kBatchMatMul:
      return batch_mat_mul;
    case tflite::kAdd:
    case tflite::kSub:
    case tflite::kMul:
    case tflite::kMaximum:
    case tflite::kMinimum:
    case tflite::kSquaredDifference:
    case tflite::kDiv:
    case tflite::kFloorDiv:
    case tflite::kFloorMod:
    case tflite::kLess:
    case tflite::kLessEqual:
    case tflite::kGreater:
    case tflite::kGreaterEqual:
    case tflite::kEqual:
    case tflite::kNotEqual:
    case tflite::kLogicalAnd:
    case tflite::kLogicalOr:
      return elementwise;
    case tflite::kNeg:
    case tflite::kLogicalNot:
    case tflite::kCast:
    case tflite::kDequantize:
      return unary;
    case tflite::kLogistic:
    case tflite::kRelu:
    case tflite::kReluN1To1:
    case tflite::kRelu6:
    case tflite::kRelu0To1:
    case tflite::kLeakyRelu:
    case tflite::kPrelu:
    case tflite::kGelu:
    case tflite::kRsqrt:
    case tflite::kSoftmax:
    case tflite::kQuantize:
    case tflite::kDensify:
      return same;
    case tflite::kShape:
      return shape;
    case tflite::kSelect:
    case tflite::kSelectV2:
      return select;
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
    case tflite::kRange:
      return range;
    case tflite::kTile:
      return tile;
    case tflite::kFill:
    case tflite::kBroadcastTo:
      return fill;
    case tflite::kGather:
      return gather;
    case tflite::kConcatenation:
      return concatenate;
    case tflite::kMean:
    case tflite::kSum:
    case tflite::kReduceProd:
      return reduce;
    case tflite::kPad:
      return pad;
    case tflite::kDepthToSpace:
      return depth_to_space;
    case tflite::kResizeBilinear:
    case tflite::kResizeNearestNeighbor:
      return resize;
    default:
      return nullptr;
  }
}

// Whether sums and products of sizes cannot overflow. A file may have any.
bool is_sane(const Shape& shape) {
  double count = 1;
  for (int size : shape) {
    if (size < 0 || size > kLargestSize) return false;
    count *= std::max(size, 1);
  }
  return count < kMostElements;
}

std::vector<Known> split(const Step& step) {
  const auto axis = step.whole(0, 1);
  const Shape* from = step.shape(1);
  if (!axis || !from || step.outputs() < 1) return {};
  const int at = dimension((*axis)[0], from->size());
  if (at < 0 || (*from)[at] % step.outputs()) return {};
  Shape made = *from;
  made[at] /= step.outputs();
  return std::vector<Known>(step.outputs(), Known{made, std::nullopt});
}

}  // namespace

const Shape* Step::shape(int i) const {
  if (i >= node_.inputs->size) return nullptr;
  const auto known = known_.find(node_.inputs->data[i]);
  if (known == known_.end() || !is_sane(known->second.shape)) return nullptr;
  return &known->second.shape;
}

const Array* Step::numbers(int i) const {
  if (i >= node_.inputs->size) return nullptr;
  const auto known = known_.find(node_.inputs->data[i]);
  if (known == known_.end() || !known->second.numbers) return nullptr;
  return &*known->second.numbers;
}

std::optional<std::vector<int>> Step::whole(int i, int count) const {
  const Array* of = numbers(i);
  if (!of || (count >= 0 && int(of->values.size()) != count)) {
    return std::nullopt;
  }
  std::vector<int> all;
  for (double number : of->values) {
    if (!is_int32(number)) return std::nullopt;
    all.push_back(int(number));
  }
  return all;
}

int Step::type(int i) const {
  const int tensor = i < node_.inputs->size ? node_.inputs->data[i] : -1;
  return tensor < 0 ? 0 : graph_.tensor(tensor).type;
}

int Step::made_type() const {
  return graph_.tensor(node_.outputs->data[0]).type;
}

std::vector<Known> make(const Step& step) {
  if (step.code() == tflite::kSplit) return split(step);
  const Maker of = maker(step.code());
  if (!of || step.outputs() != 1) return {};
  Made made = of(step);
  if (!made || !is_sane(made->shape)) return {};
  return {*std::move(made)};
}

}  // namespace issp
