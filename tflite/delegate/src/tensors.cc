#include "tensors.h"

namespace issp {

std::string Tensors::find_constants() {
  for (int i = 0; i < int(context_.tensor_count); ++i) {
    if (!issp::is_constant(at(i))) continue;
    constants_.add(i, i);
    // The runtime would read it, if no part does.
    const std::string harm = at(i).sparsity ? harm_of(at(i)) : "";
    if (!harm.empty()) return blame(at(i), harm);
  }
  return "";
}

const int32_t* Tensors::integers_of(int i, size_t count) const {
  if (i < 0) return nullptr;
  const tflite::Tensor& of = at(i);
  const bool fits = of.allocation_type == tflite::kReadOnly &&
                    of.type == tflite::kInt32 &&
                    of.bytes == count * sizeof(int32_t);
  return fits ? static_cast<const int32_t*>(of.data) : nullptr;
}

bool Tensors::is_by_channel(int i, int channels) const {
  const tflite::IntArray& shape = *at(i).shape;
  int64_t size = 1;
  for (int k = 0; k < shape.size; ++k) {
    size *= shape.data[k];
    if (size < 1 || size > kLargestChannels) return false;
  }
  if (size == 1) return true;
  return size == channels && shape.data[shape.size - 1] == channels;
}

bool Tensors::is_float(int i) const {
  return i >= 0 && at(i).type == tflite::kFloat32;
}

bool Tensors::is_image(int i) const {
  return is_new_image(i) && (rank(i) == 4 || extents_.count(i));
}

bool Tensors::may_be_list(int i) const {
  return is_float(i) && !is_constant(i) && at(i).shape &&
         at(i).shape->size > 0;
}

bool Tensors::is_new_image(int i) const {
  if (!is_float(i) || is_constant(i) || !at(i).shape) return false;
  return (rank(i) == 4 || rank(i) == 2) && channels(i) > 0 &&
         channels(i) <= kLargestChannels;
}

int Tensors::rank(int i) const { return at(i).shape->size; }

int Tensors::channels(int i) const {
  const tflite::IntArray* shape = at(i).shape;
  return shape->data[shape->size - 1];
}

Extent Tensors::extent(int i) const {
  const auto known = extents_.find(i);
  return known != extents_.end() ? known->second : extent_in_file(i);
}

Extent Tensors::extent_in_file(int i) const {
  const tflite::Tensor& of = at(i);
  if (rank(i) == 2) return {"1x1", true, true};
  const tflite::IntArray* shape = of.shape;
  if (of.shape_signature && of.shape_signature->size == 4) {
    shape = of.shape_signature;
  }
  const int height = shape->data[1], width = shape->data[2];
  const bool is_pixel = height == 1 && width == 1;
  if (height < 0 || width < 0 || (is_pixel && has_placeholders_)) {
    return {"of " + std::to_string(i), false, false};
  }
  return {std::to_string(height) + "x" + std::to_string(width), is_pixel, true};
}

}  // namespace issp
