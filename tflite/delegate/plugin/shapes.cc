#include "shapes.h"

#include <cstdint>
#include <limits>

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;

// A list of pixels becomes an image with the first width that divides it.
constexpr int kWidths[] = {128, 96, 64};
constexpr int64_t kLargest = int64_t{1} << 48;

// The size of the image for a list of pixels.
bool list_size(const tflite::Tensor& tensor, int channels, Size* size) {
  const IntArray* shape = tensor.shape;
  int64_t count = 1;
  for (int i = 0; shape && i < shape->size; ++i) {
    // A dimension of 0 would hide an overflow of others.
    if (shape->data[i] < 1 || count > kLargest / shape->data[i]) return false;
    count *= shape->data[i];
  }
  if (!shape || count % channels) return false;
  // Larger images have no layout. Below this, products do not overflow.
  if (count / channels > std::numeric_limits<int>::max()) return false;
  const int pixels = int(count / channels);
  *size = {1, pixels};
  for (int width : kWidths) {
    if (pixels % width) continue;
    *size = {pixels / width, width};
    break;
  }
  return true;
}

// Gets the size of a tensor's images, if they have `channels` channels.
bool image_size(const tflite::Tensor& tensor, int channels, Size* size,
                int* batch) {
  const IntArray* shape = tensor.shape;
  if (!shape || (shape->size != 4 && shape->size != 2)) return false;
  if (shape->data[shape->size - 1] != channels) return false;
  *batch = shape->data[0];
  *size = shape->size == 2 ? Size{1, 1} : Size{shape->data[1], shape->data[2]};
  return size->height > 0 && size->width > 0;
}

// Whether the number of pixels of a tensor is open in the file. The first
// dimension is the batch.
bool is_open(const tflite::Tensor& tensor) {
  const IntArray* shape = tensor.shape_signature;
  for (int i = 1; shape && i + 1 < shape->size; ++i) {
    if (shape->data[i] < 0) return true;
  }
  return false;
}

}  // namespace

std::vector<Size> expected_sizes(const Context& context, const Part& part,
                                 bool has_placeholders) {
  std::vector<Size> sizes;
  for (const Operation& of : part.network.operations) {
    if (of.kind != Operation::kInput) continue;
    const tflite::Tensor& tensor = context.tensors[part.inputs[of.tensor]];
    const int channels = part.network.values[of.output].channels;
    Size size;
    int images;
    const bool is_known =
        !is_open(tensor) &&
        (of.rows ? list_size(tensor, channels, &size)
                 : image_size(tensor, channels, &size, &images)) &&
        !(has_placeholders && tensor.shape->size > 2);
    sizes.push_back(is_known ? size : kUsual);
  }
  return sizes;
}

std::vector<int> list_shape(const tflite::Context& context, const Part& part,
                            int pixels, int channels, int rank) {
  std::vector<int> shape = to_vector(context.tensors[part.inputs[0]].shape);
  if (int(shape.size()) != rank) shape = {pixels, channels};
  shape.back() = channels;
  return shape;
}

std::string read_sizes(const Context& context, const Part& part,
                       std::vector<Size>* sizes, int* batch) {
  for (const Operation& of : part.network.operations) {
    if (of.kind != Operation::kInput) continue;
    const tflite::Tensor& tensor = context.tensors[part.inputs[of.tensor]];
    const int channels = part.network.values[of.output].channels;
    Size size;
    int images = 1;
    if (!(of.rows ? list_size(tensor, channels, &size)
                  : image_size(tensor, channels, &size, &images))) {
      return std::string(tensor.name ? tensor.name : "a tensor") +
             " is no image of " + std::to_string(channels) + " channels";
    }
    if (!sizes->empty() && images != *batch) {
      return "its inputs have different batches";
    }
    *batch = images;
    sizes->push_back(size);
  }
  return "";
}

}  // namespace issp
