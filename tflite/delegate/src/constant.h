// Constants of a file: stored dense or sparse, in float32, float16 or int8.

#ifndef ISSP_CONSTANT_H_
#define ISSP_CONSTANT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tflite_abi.h"

namespace issp {

// What the values of an int8 constant are read as.
enum class Numbers {
  kReal,
  kStored,  // Without the zero point.
};

// The non-zeros of a constant, by increasing place.
struct Constant {
  std::vector<int> shape;
  std::vector<int64_t> places;  // As if all values were stored, C order.
  std::vector<float> values;

  int64_t size() const;

  // All values, zeros too.
  std::vector<float> dense() const;
};

// Whether a tensor is part of the file, in a type that `read_constant` knows.
bool is_constant(const tflite::Tensor& tensor);

// What would make a runtime that believes a sparse tensor read beyond it, or
// nothing.
std::string harm_of(const tflite::Tensor& tensor);

// Reads a tensor for which `is_constant` holds.
//
// Nothing outside of the tensor is read, whatever its metadata say: they are
// compared with each other and with the size of the data before.
//
// Returns what is wrong with it, or nothing.
std::string read_constant(const tflite::Tensor& tensor, Constant* constant,
                          Numbers numbers = Numbers::kReal);

}  // namespace issp

#endif  // ISSP_CONSTANT_H_
