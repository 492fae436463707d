// Finds tensors of a graph that are constants, or that follow from one.

#ifndef ISSP_CONSTANTS_H_
#define ISSP_CONSTANTS_H_

#include <map>
#include <string>

#include "constant.h"
#include "tflite_abi.h"

namespace issp {

// The constants of a graph, by the tensor that uses them. DENSIFY, DEQUANTIZE
// and GATHER may make this tensor from a stored one.
class Constants {
 public:
  // Whether a tensor is a constant, or follows from one.
  bool has(int tensor) const { return sources_.count(tensor) > 0; }

  // Records that `tensor` has the values of `source`.
  void add(int tensor, int source);

  // Records that `tensor` has the values of `source` in the order of `indices`
  // along the first dimension. `indices` is a tensor of int32.
  void add_gathered(int tensor, int source, int indices);

  // Reads a constant. Returns the error, or an empty string.
  std::string read(const tflite::Context& context, int tensor,
                   Constant* constant, Numbers numbers) const;

 private:
  struct Source {
    int tensor;
    int indices = -1;  // A tensor, or -1 for all values as they are.
  };

  std::map<int, Source> sources_;
};

// An error message about a tensor.
std::string blame(const tflite::Tensor& tensor, const std::string& what);

}  // namespace issp

#endif  // ISSP_CONSTANTS_H_
