// Small arrays of numbers, which graphs compute from the sizes of images.

#ifndef ISSP_ARRAYS_H_
#define ISSP_ARRAYS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace issp {

using Shape = std::vector<int>;

// Numbers of any type; all of int32 and float32 are exact.
struct Array {
  Shape shape;
  std::vector<double> values;
};

// Whether that is a whole number of 32 bits.
bool is_int32(double number);

// As many as a shape has; -1 if those are more than any array may have.
int64_t count_of(const Shape& shape);

// The shape of what is computed of two, element by element; or nothing.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// The elements of an array that begin at `begin`, and lie so many elements
// apart along each dimension of what is made. All must be within it.
Array pick(const Array& of, const Shape& shape, int64_t begin,
           const std::vector<int64_t>& strides);

// Elements between neighbours, by dimension.
std::vector<int64_t> strides_of(const Shape& shape);

// The same, repeated along dimensions of 1, to a shape that it fits.
Array spread(const Array& of, const Shape& shape);

// Computes element by element.
Array map(const Array& of, const std::function<double(double)>& function);
std::optional<Array> map(const Array& a, const Array& b,
                         const std::function<double(double, double)>& function);

}  // namespace issp

#endif  // ISSP_ARRAYS_H_
