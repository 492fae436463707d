// Constants of a file. They are dense or sparse, in float32, float16 or int8.

#ifndef ISSP_CONSTANT_H_
#define ISSP_CONSTANT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tflite_abi.h"

namespace issp {

// How the numbers of an int8 constant are read.
enum class Numbers {
  kReal,
  kStored,  // As stored, minus the zero point.
};

// The non-zeros of a constant, by increasing place.
struct Constant {
  std::vector<int> shape;
  std::vector<int64_t> places;  // Positions in the dense array, in C order.
  std::vector<float> values;

  int64_t size() const;

  // All values, with the zeros.
  std::vector<float> dense() const;
};

// Whether a tensor is stored in the file, in a type that `read_constant` knows.
bool is_constant(const tflite::Tensor& tensor);

// Returns how sparse metadata would make a runtime read out of bounds, or an
// empty string.
std::string harm_of(const tflite::Tensor& tensor);

// Reads a tensor for which `is_constant` holds.
//
// It never reads outside of the tensor, because it first compares the metadata
// with each other and with the size of the data.
//
// Returns the error, or an empty string.
std::string read_constant(const tflite::Tensor& tensor, Constant* constant,
                          Numbers numbers = Numbers::kReal);

}  // namespace issp

#endif  // ISSP_CONSTANT_H_
