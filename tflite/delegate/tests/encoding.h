// Constants in the form of a file: dense or sparse, of any type.

#ifndef ISSP_ENCODING_H_
#define ISSP_ENCODING_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "reference.h"
#include "testing.h"
#include "tflite_abi.h"

namespace issp::testing {

struct Freed {
  void operator()(void* memory) const { std::free(memory); }
};

// Memory without padding at its end, so that sanitizers find reads beyond it.
using Memory = std::unique_ptr<char, Freed>;
using Integers = std::unique_ptr<tflite::IntArray, Freed>;
using Floats = std::unique_ptr<tflite::FloatArray, Freed>;

Memory new_memory(size_t bytes);
Integers new_integers(const std::vector<int>& numbers);

uint16_t to_half(float value);
float from_half(uint16_t half);

// How a constant is stored. It is dense if it has no levels.
struct Encoding {
  int type = tflite::kFloat32;
  std::vector<int> order;    // The order of levels: dimensions, then blocks.
  std::vector<int> formats;  // Of each level.
  std::vector<int> block_map;
  std::vector<int> block_sizes;
  std::vector<float> scales;  // Of int8: one, or one per channel.
  int scale_dimension = 0;

  bool is_sparse() const { return !order.empty(); }
};

// A constant with all its data in a runtime.
class Stored {
 public:
  // Rounds `array` to the numbers that the type can store.
  Stored(const Encoding& encoding, Array* array);

  // Fills a tensor. This constant must outlive the tensor.
  void fill(tflite::Tensor* tensor);

  std::vector<std::vector<int>>& segments() { return segments_; }
  std::vector<std::vector<int>>& indices() { return indices_; }

 private:
  void round(const Encoding& encoding, Array* array);
  void pack(const Encoding& encoding, const Array& array);
  void store(const Encoding& encoding, const Shape& shape, size_t place,
             double value);

  Memory data_;
  size_t bytes_ = 0;
  int type_;
  std::vector<char> packed_;
  Integers shape_;
  Floats scales_;
  Integers zero_points_;
  tflite::AffineQuantization affine_{};
  bool is_sparse_;
  std::vector<std::vector<int>> segments_;  // By level; empty if dense.
  std::vector<std::vector<int>> indices_;
  Integers order_;
  Integers blocks_;
  std::vector<Integers> arrays_;
  std::vector<tflite::DimensionMetadata> levels_;
  tflite::Sparsity sparsity_{};
};

// Random values. A fraction `sparsity` of them is zero.
Array random_array(const Shape& shape, double sparsity, Random* random);

// A random order, formats and blocks that fit a shape.
Encoding random_encoding(const Shape& shape, Random* random);

// The encoding of TensorFlow's converter: the last dimension is sparse.
Encoding converter_encoding(const Shape& shape, int type);

}  // namespace issp::testing

#endif  // ISSP_ENCODING_H_
