// Operators that compute numbers.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "size_rules.h"

namespace issp {
namespace {

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

Made elementwise(const KnownNode& node) {
  const Shape *a = node.shape(0), *b = node.shape(1);
  if (!a || !b) return std::nullopt;
  const Array *of_a = node.numbers(0), *of_b = node.numbers(1);
  if (!of_a || !of_b) return of_shape(broadcast(*a, *b));
  const bool is_whole = node.type(0) != tflite::kFloat32;
  return of_array(map(*of_a, *of_b, [&](double x, double y) {
    return binary(node.code(), is_whole, x, y);
  }));
}

Made unary(const KnownNode& node) {
  const Array* of = node.numbers(0);
  const int to = node.made_type();
  const bool unpacks = node.code() == tflite::kDequantize;
  // Numbers of other types have scales.
  if (!of || (unpacks && node.type(0) != tflite::kFloat16)) return same(node);
  return of_array(map(*of, [&](double x) {
    if (node.code() == tflite::kNeg) return -x;
    if (node.code() == tflite::kLogicalNot) return double(!x);
    // CAST and DEQUANTIZE.
    return to == tflite::kFloat32 ? double(float(x))
           : to == tflite::kBool  ? double(x != 0)
                                  : std::trunc(x);
  }));
}

Made shape(const KnownNode& node) {
  const Shape* of = node.shape(0);
  if (!of) return std::nullopt;
  Array made{{int(of->size())}, {}};
  made.values.assign(of->begin(), of->end());
  return of_array(std::move(made));
}

Made select(const KnownNode& node) {
  const Array *condition = node.numbers(0), *then = node.numbers(1),
              *otherwise = node.numbers(2);
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

Made range(const KnownNode& node) {
  const Array *from = node.numbers(0), *to = node.numbers(1),
              *by = node.numbers(2);
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

Made fill(const KnownNode& node) {
  const bool is_fill = node.code() == tflite::kFill;
  const auto shape = node.whole(is_fill ? 0 : 1);
  const Array* of = node.numbers(is_fill ? 1 : 0);
  if (!shape || !of || count_of(*shape) < 0) return std::nullopt;
  const auto whole = broadcast(of->shape, *shape);
  if (!whole || *whole != *shape) return std::nullopt;
  return of_array(spread(*of, *shape));
}

// SUM, REDUCE_PROD and MEAN. Numbers are only known if all dimensions are
// reduced.
Made reduce(const KnownNode& node) {
  const Shape* from = node.shape(0);
  const auto* of = node.parameters<tflite::ReducerParameters>();
  const auto axes = node.whole(1);
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
  const Array* numbers = node.numbers(0);
  const bool is_all = std::count(is_gone.begin(), is_gone.end(), false) == 0;
  if (numbers && is_all && node.code() != tflite::kMean) {
    double total = node.code() == tflite::kSum ? 0 : 1;
    for (double x : numbers->values) {
      total = node.code() == tflite::kSum ? total + x : total * x;
    }
    made.numbers = Array{made.shape, {total}};
  }
  return made;
}

}  // namespace

Rule rule_of_numbers(int code) {
  switch (code) {
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
    case tflite::kShape:
      return shape;
    case tflite::kSelect:
    case tflite::kSelectV2:
      return select;
    case tflite::kRange:
      return range;
    case tflite::kFill:
    case tflite::kBroadcastTo:
      return fill;
    case tflite::kMean:
    case tflite::kSum:
    case tflite::kReduceProd:
      return reduce;
    default:
      return nullptr;
  }
}

}  // namespace issp
