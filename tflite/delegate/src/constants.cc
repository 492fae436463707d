#include "constants.h"

#include <algorithm>

namespace issp {
namespace {

// Whether a tensor has numbers in int8 of which 0 stands for zero.
bool is_int8_with_zero(const tflite::Tensor& of) {
  if (of.type != tflite::kInt8 || of.quantization.type != tflite::kAffine ||
      !of.quantization.parameters) {
    return false;
  }
  const tflite::IntArray* zeros =
      static_cast<const tflite::AffineQuantization*>(
          of.quantization.parameters)
          ->zero_point;
  return !zeros || std::all_of(zeros->data, zeros->data + zeros->size,
                               [](int zero) { return zero == 0; });
}

}  // namespace

std::string blame(const tflite::Tensor& tensor, const std::string& what) {
  return std::string("tensor ") + (tensor.name ? tensor.name : "") + " " +
         what;
}

void Constants::add(int tensor, int source) {
  const auto found = sources_.find(source);
  sources_[tensor] = found == sources_.end() ? source : found->second;
}

std::string Constants::read(const tflite::Context& context, int tensor,
                            Constant* constant, Numbers numbers) const {
  const tflite::Tensor& made = context.tensors[tensor];
  const tflite::Tensor& source = context.tensors[sources_.at(tensor)];
  // What unpacks it may tell of other numbers than the file has.
  if (numbers == Numbers::kStored && &made != &source &&
      !(is_int8_with_zero(made) && is_int8_with_zero(source))) {
    return blame(source, "is unpacked into int8, and is none whose zero is 0");
  }
  const std::string error = read_constant(source, constant, numbers);
  return error.empty() ? "" : blame(source, error);
}

}  // namespace issp
