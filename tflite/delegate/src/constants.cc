#include "constants.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace issp {
namespace {

constexpr int64_t kMostGathered = int64_t{1} << 26;

// Gathers values along the first dimension. Returns the error in the indices,
// or an empty string.
std::string gather(const tflite::Tensor& indices, Constant* constant) {
  const std::vector<int> shape = tflite::to_vector(indices.shape);
  int64_t count = 1;
  for (int size : shape) {
    if (size < 1 || count > kMostGathered / size) return "has too many values";
    count *= size;
  }
  if (constant->shape.empty() || constant->size() < 1) return "has no values";
  const int64_t choices = constant->shape[0];
  const int64_t row = constant->size() / choices;
  if (row > kMostGathered / count ||
      indices.bytes != size_t(count) * sizeof(int32_t)) {
    return "has too many values";
  }
  const std::vector<float> values = constant->dense();
  Constant made;
  made.shape = shape;
  made.shape.insert(made.shape.end(), constant->shape.begin() + 1,
                    constant->shape.end());
  const auto* places = static_cast<const int32_t*>(indices.data);
  for (int64_t i = 0; i < count; ++i) {
    if (places[i] < 0 || places[i] >= choices) {
      return "is gathered from beyond its values";
    }
    for (int64_t k = 0; k < row; ++k) {
      const float value = values[size_t(places[i] * row + k)];
      if (value == 0) continue;
      made.places.push_back(i * row + k);
      made.values.push_back(value);
    }
  }
  *constant = std::move(made);
  return "";
}

// Whether a tensor is int8 with zero points of 0.
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
  sources_[tensor] = found == sources_.end() ? Source{source} : found->second;
}

void Constants::add_gathered(int tensor, int source, int indices) {
  // Gathering twice is not supported.
  const auto found = sources_.find(source);
  if (found == sources_.end() || found->second.indices >= 0) return;
  sources_[tensor] = {found->second.tensor, indices};
}

std::string Constants::read(const tflite::Context& context, int tensor,
                            Constant* constant, Numbers numbers) const {
  const Source& of = sources_.at(tensor);
  const tflite::Tensor& made = context.tensors[tensor];
  const tflite::Tensor& source = context.tensors[of.tensor];
  // The unpacked tensor may have other zero points than the stored one.
  if (numbers == Numbers::kStored && &made != &source &&
      !(is_int8_with_zero(made) && is_int8_with_zero(source))) {
    return blame(source, "is unpacked into int8, but is not int8 with zero 0");
  }
  std::string error = read_constant(source, constant, numbers);
  if (error.empty() && of.indices >= 0) {
    error = gather(context.tensors[of.indices], constant);
  }
  return error.empty() ? "" : blame(source, error);
}

}  // namespace issp
