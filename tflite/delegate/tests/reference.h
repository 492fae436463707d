// Computes the operators of TFLite in a simple way, in double precision.

#ifndef ISSP_REFERENCE_H_
#define ISSP_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "tflite_abi.h"

namespace issp::testing {

using Shape = std::vector<int>;

int64_t size_of(const Shape& shape);

struct Array {
  Shape shape;
  std::vector<double> values;

  // The number at a place of an image.
  double at(int n, int y, int x, int c) const;
  double& at(int n, int y, int x, int c);
};

// An operator that the delegate does not know.
constexpr int kNegate = 59;

// The shape of result `output` of `outputs`. `inputs` only need values if
// shapes depend on them.
Shape shape_of(int code, const void* parameters,
               const std::vector<const Array*>& inputs, int output = 0,
               int outputs = 1);

// Result `output` of `outputs`.
Array compute(int code, const void* parameters,
              const std::vector<const Array*>& inputs, int output = 0,
              int outputs = 1);

}  // namespace issp::testing

#endif  // ISSP_REFERENCE_H_
