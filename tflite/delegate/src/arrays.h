// Small arrays. Graphs compute them from the sizes of images.

#ifndef ISSP_ARRAYS_H_
#define ISSP_ARRAYS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace issp {

using Shape = std::vector<int>;

// Numbers of any type. Doubles hold all int32 and float32 numbers exactly.
struct Array {
  Shape shape;
  std::vector<double> values;
};

// Whether a number is an int32.
bool is_int32(double number);

// The number of elements of a shape; -1 if an array must not have that many.
int64_t count_of(const Shape& shape);

// The shape of an element-wise result of two arrays; nothing if they do not
// fit.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// The elements of an array from `begin` on, which are `strides` elements apart
// along each dimension of the result. All must be within the array.
Array pick(const Array& of, const Shape& shape, int64_t begin,
           const std::vector<int64_t>& strides);

// The stride of each dimension, in elements.
std::vector<int64_t> strides_of(const Shape& shape);

// Broadcasts an array to a shape.
Array spread(const Array& of, const Shape& shape);

// Computes element by element.
Array map(const Array& of, const std::function<double(double)>& function);
std::optional<Array> map(const Array& a, const Array& b,
                         const std::function<double(double, double)>& function);

}  // namespace issp

#endif  // ISSP_ARRAYS_H_
