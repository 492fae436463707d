// Which tensors of a graph are constants, or computed from one.

#ifndef ISSP_CONSTANTS_H_
#define ISSP_CONSTANTS_H_

#include <map>
#include <string>

#include "constant.h"
#include "tflite_abi.h"

namespace issp {

// Constants of a graph by the tensors they are used as, which may be made of
// those that are stored by DENSIFY, DEQUANTIZE and GATHER.
class Constants {
 public:
  // Whether a tensor is a constant, or made of one.
  bool has(int tensor) const { return sources_.count(tensor) > 0; }

  // Notes that `tensor` has the values of `source`.
  void add(int tensor, int source);

  // Notes that `tensor` has the values of `source` along its first dimension,
  // in the order that `indices`, of int32, have.
  void add_gathered(int tensor, int source, int indices);

  // Reads a constant. Returns what is wrong with it, or nothing.
  std::string read(const tflite::Context& context, int tensor,
                   Constant* constant, Numbers numbers) const;

 private:
  struct Source {
    int tensor;
    int indices = -1;  // A tensor, or -1 for all values as they are.
  };

  std::map<int, Source> sources_;
};

// Says what is wrong with a tensor.
std::string blame(const tflite::Tensor& tensor, const std::string& what);

}  // namespace issp

#endif  // ISSP_CONSTANTS_H_
