#include "constants.h"

namespace issp {

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
  const tflite::Tensor& source = context.tensors[sources_.at(tensor)];
  const std::string error = read_constant(source, constant, numbers);
  return error.empty() ? "" : blame(source, error);
}

}  // namespace issp
