#include "tensors.h"

namespace issp {
namespace {

// Limits of int8 scales. Useful scales are within them, and results within them
// are finite.
constexpr float kLeastScale = 1e-12f;
constexpr float kLargestScale = 1e12f;
// The most pixels of a batch whose order is examined.
constexpr int64_t kLargestView = 1 << 24;

}  // namespace

std::string Tensors::find_constants() {
  for (int i = 0; i < int(context_.tensor_count); ++i) {
    if (issp::is_constant(at(i))) constants_.add(i, i);
    // The runtime reads the tensor if no part does.
    const bool is_read = at(i).sparsity && at(i).data && at(i).shape;
    const std::string harm = is_read ? harm_of(at(i)) : "";
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

bool Tensors::is_int8(int i) const {
  return i >= 0 && !is_constant(i) && is_quantized(i, tflite::kInt8);
}

bool Tensors::is_quantized(int i, int type) const {
  if (i < 0) return false;
  const tflite::Tensor& of = at(i);
  if (of.type != type || of.quantization.type != tflite::kAffine ||
      !of.quantization.parameters) {
    return false;
  }
  const auto& affine = *static_cast<const tflite::AffineQuantization*>(
      of.quantization.parameters);
  if (!affine.scale || affine.scale->size != 1 || !affine.zero_point ||
      affine.zero_point->size != 1) {
    return false;
  }
  const float scale = affine.scale->data[0];
  const int zero_point = affine.zero_point->data[0];
  const int least = type == tflite::kUint8 ? 0 : kLeastInt8;
  return scale > kLeastScale && scale < kLargestScale && zero_point >= least &&
         zero_point <= least + 255;
}

Quantization Tensors::quantization(int i) const {
  const auto& affine = *static_cast<const tflite::AffineQuantization*>(
      at(i).quantization.parameters);
  return {affine.scale->data[0], affine.zero_point->data[0]};
}

std::vector<float> Tensors::scales(int i, int dimension, int count) const {
  const tflite::Tensor& of = at(i);
  if (!is_constant(i) || of.type != tflite::kInt8 ||
      of.quantization.type != tflite::kAffine || !of.quantization.parameters) {
    return {};
  }
  const auto& affine = *static_cast<const tflite::AffineQuantization*>(
      of.quantization.parameters);
  if (!affine.scale) return {};
  for (int k = 0; affine.zero_point && k < affine.zero_point->size; ++k) {
    if (affine.zero_point->data[k]) return {};
  }
  const float* all = affine.scale->data;
  if (affine.scale->size == 1) return std::vector<float>(count, all[0]);
  if (affine.scale->size != count || affine.dimension != dimension) return {};
  return {all, all + count};
}

bool Tensors::is_image(int i) const {
  return is_new_image(i) && !is_symbol(i) &&
         (rank(i) == 4 || extents_.count(i));
}

std::optional<View> Tensors::view(int i) const {
  const auto known = views_.find(i);
  if (known != views_.end()) return known->second;
  if (!is_float(i) || !is_image(i) || rank(i) != 4) return std::nullopt;
  const Extent of = extent_in_file(i);
  const int* shape = at(i).shape->data;
  if (!of.is_known || of.is_pixel) return std::nullopt;
  int64_t pixels = 1;
  for (int k = 0; k < 3; ++k) {
    if (shape[k] < 1 || pixels > kLargestView / shape[k]) return std::nullopt;
    pixels *= shape[k];
  }
  View view = view_of_image(shape[0], {shape[1], shape[2]}, shape[3]);
  view.source = i;
  return view;
}

void Tensors::set_view(int i, View view) {
  extents_[i] =
      view.is_crop() ? extent_in_file(i) : Extent{view.name(), false, true};
  views_.erase(i);
  if (!view.is_image() || view.factor != 1) views_[i] = std::move(view);
}

const Moment* Tensors::moment(int i) const {
  const auto known = moments_.find(i);
  return known == moments_.end() ? nullptr : &known->second;
}

const Scores* Tensors::scores(int i) const {
  const auto known = scores_.find(i);
  return known == scores_.end() ? nullptr : &known->second;
}

bool Tensors::is_symbol(int i) const {
  if (moments_.count(i) || scores_.count(i)) return true;
  const auto view = views_.find(i);
  if (view == views_.end() || view->second.is_crop()) return false;
  return !view->second.has_all_pixels() || view->second.factor != 1;
}

bool Tensors::is_crop(int i) const {
  const auto view = views_.find(i);
  return view != views_.end() && view->second.is_crop();
}

bool Tensors::is_rearranged(int i) const {
  const auto view = views_.find(i);
  return view != views_.end() && !view->second.has_image_order() &&
         !view->second.is_crop();
}

bool Tensors::has_some_channels(int i) const {
  const auto view = views_.find(i);
  return view != views_.end() && !view->second.has_all_channels();
}

void Tensors::forget() {
  extents_.clear();
  lists_.clear();
  views_.clear();
  moments_.clear();
  scores_.clear();
}

bool Tensors::may_be_list(int i) const {
  return (is_float(i) || is_int8(i)) && !is_constant(i) && at(i).shape &&
         at(i).shape->size > 0;
}

bool Tensors::is_new_image(int i) const {
  if (!is_float(i) && !is_int8(i)) return false;
  if (is_constant(i) || !at(i).shape) return false;
  // A constant that cannot be read. Its data may be shorter than an image.
  if (at(i).allocation_type == tflite::kReadOnly || at(i).sparsity) {
    return false;
  }
  return (rank(i) == 4 || rank(i) == 2) && channels(i) > 0 &&
         channels(i) <= kLargestChannels;
}

int Tensors::rank(int i) const { return at(i).shape->size; }

std::vector<int> Tensors::shape(int i) const {
  const tflite::IntArray* shape = at(i).shape;
  return shape ? tflite::to_vector(shape) : std::vector<int>();
}

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
