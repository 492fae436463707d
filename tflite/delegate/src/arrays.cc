#include "arrays.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace issp {
namespace {

constexpr int64_t kMost = int64_t{1} << 24;

}  // namespace

bool is_int32(double number) {
  return number >= std::numeric_limits<int32_t>::min() &&
         number <= std::numeric_limits<int32_t>::max() &&
         number == double(int32_t(number));
}

int64_t count_of(const Shape& shape) {
  int64_t count = 1;
  for (int size : shape) {
    if (size < 0 || (size && count > kMost / size)) return -1;
    count *= size;
  }
  return count;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape made(rank);
  for (size_t i = 0; i < rank; ++i) {
    // Shapes are aligned at their last dimensions.
    const int of_a = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int of_b = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (of_a != of_b && of_a != 1 && of_b != 1) return std::nullopt;
    made[i] = of_a == 1 ? of_b : of_a;
  }
  return made;
}

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

Array pick(const Array& of, const Shape& shape, int64_t begin,
           const std::vector<int64_t>& strides) {
  Array made{shape, std::vector<double>(size_t(count_of(shape)))};
  std::vector<int> at(shape.size(), 0);
  int64_t from = begin;
  for (double& value : made.values) {
    value = of.values[size_t(from)];
    for (size_t i = shape.size(); i-- > 0;) {
      from += strides[i];
      if (++at[i] < shape[i]) break;
      from -= strides[i] * shape[i];
      at[i] = 0;
    }
  }
  return made;
}

Array spread(const Array& of, const Shape& shape) {
  std::vector<int64_t> strides = strides_of(of.shape);
  for (size_t i = 0; i < strides.size(); ++i) {
    if (of.shape[i] == 1) strides[i] = 0;
  }
  strides.insert(strides.begin(), shape.size() - strides.size(), 0);
  return pick(of, shape, 0, strides);
}

Array map(const Array& of, const std::function<double(double)>& function) {
  Array made = of;
  for (double& value : made.values) value = function(value);
  return made;
}

std::optional<Array> map(
    const Array& a, const Array& b,
    const std::function<double(double, double)>& function) {
  const std::optional<Shape> shape = broadcast(a.shape, b.shape);
  if (!shape || count_of(*shape) < 0) return std::nullopt;
  Array made = spread(a, *shape);
  const Array other = spread(b, *shape);
  for (size_t i = 0; i < made.values.size(); ++i) {
    made.values[i] = function(made.values[i], other.values[i]);
  }
  return made;
}

}  // namespace issp
