// Random graphs in int8, and the quantization of their tensors.

#ifndef ISSP_INT8_GRAPHS_H_
#define ISSP_INT8_GRAPHS_H_

#include <map>
#include <memory>
#include <vector>

#include "fake_runtime.h"
#include "testing.h"

namespace issp::testing {

// The quantization of a tensor.
struct Numbers {
  std::vector<float> scales;
  std::vector<int> zero_points;
  int dimension = 0;
  bool is_affine = true;
  bool has_parameters = true;
  bool has_scales = true;
  bool has_zero_points = true;
};

// The same in the structures of the runtime.
class Quantised {
 public:
  // The tensor must not outlive this.
  Quantised(const Numbers& of, tflite::Tensor* tensor);

 private:
  Floats scales_;
  Integers zero_points_;
  tflite::AffineQuantization affine_;
};

// A random graph in int8. All tensors but integers have `numbers`.
struct Int8Graph {
  // If it `is_hostile`, some slopes are no ordinary numbers.
  explicit Int8Graph(uint64_t seed, bool is_hostile = false);

  Model model;
  std::map<int, Numbers> numbers;
  std::vector<int> images;
  std::vector<int> kernels;  // Inputs of convolutions.
  std::vector<int> biases;
  std::vector<int> sparse;  // Constants.
};

// Gives the tensors of an interpreter their types and `numbers`.
std::vector<std::unique_ptr<Quantised>> quantise(
    const std::map<int, Numbers>& numbers, Interpreter* interpreter);

}  // namespace issp::testing

#endif  // ISSP_INT8_GRAPHS_H_
