#include "measure.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace issp {
namespace {

// The limit of height and width. Products with blocks and strides do not
// overflow below it.
constexpr int kLargestSide = 1 << 26;

// The output length of a kernel for `in` pixels, or less than 1 if it does not
// fit. Also gets the padding before the pixels.
int length(int in, int kernel, int stride, int dilation, bool same, int before,
           int after, int* padding) {
  const int padded = in + before + after;
  const int extent = (kernel - 1) * dilation + 1;
  *padding = before;
  if (!same) return padded < extent ? 0 : (padded - extent) / stride + 1;
  const int out = (padded + stride - 1) / stride;
  *padding += std::max((out - 1) * stride + extent - padded, 0) / 2;
  return out;
}

// The output size of a linear operation before DEPTH_TO_SPACE.
Size convolved(const Operation& of, const Size& in, Padding* padding) {
  const Padding& pad = of.padding;
  return {length(in.height, of.kernel.height, of.stride.height,
                 of.dilation.height, pad.same, pad.top, pad.bottom,
                 &padding->top),
          length(in.width, of.kernel.width, of.stride.width,
                 of.dilation.width, pad.same, pad.left, pad.right,
                 &padding->left)};
}

Misfit measure_linear(const Operation& of, Layout* layout, Padding* padding) {
  const Size in = layout->images[of.input].size;
  const Size out = convolved(of, in, padding);
  if (out.height < 1 || out.width < 1) {
    return {of.name + ": an image of " + std::to_string(in.height) + "x" +
                std::to_string(in.width) +
                " pixels is smaller than its kernel",
            true};
  }
  for (const Post& post : of.posts) {
    if (post.value < 0) continue;
    const Size other = layout->images[post.value].size;
    const int block = post.shuffled ? of.block : 1;
    const Size whole{out.height * block, out.width * block};
    if (other != whole && other != Size{1, 1}) {
      return {of.name + ": takes images of different sizes", true};
    }
  }
  const Size whole{out.height * of.block, out.width * of.block};
  if (of.expected != Size{} && whole != of.expected) {
    return {of.name + ": makes images of one size only", true};
  }
  layout->images[of.output].size = whole;
  return {};
}

// For operations with one possible size for each image.
Misfit measure_arranged(const Operation& of, Layout* layout) {
  std::vector<Image>& images = layout->images;
  bool fits = true;
  if (of.kind == Operation::kArrange) {
    fits = images[of.input].size == of.arranged_from;
    images[of.output].size = of.arranged_to;
  } else {
    const Attention& attention = of.attention;
    const Size size = images[of.input].size;
    fits = size.width == attention.pixels &&
           size.height == int(attention.kinds.size()) &&
           images[attention.keys].size == size &&
           images[attention.values].size == size;
    images[of.output].size = size;
  }
  if (fits) return {};
  return {of.name + ": takes images of one size only", true};
}

}  // namespace

Misfit measure(const Network& network, const std::vector<Size>& sizes,
               Layout* layout) {
  layout->images.resize(network.values.size());
  layout->paddings.resize(network.operations.size());
  size_t input = 0;
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (of.output < 0) continue;
    Image& image = layout->images[of.output];
    const Value& value = network.values[of.output];
    image.channels = value.channels;
    image.planes = value.planes();
    image.zero = value.is_int8 ? uint8_t(value.quantization.zero_point +
                                         layout->format.offset)
                               : 0;
    if (of.kind == Operation::kInput) {
      image.size = sizes[input++];
    } else if (of.kind == Operation::kMean) {
      image.size = {1, 1};
    } else {
      const bool is_linear = of.has_tiles();
      const Misfit misfit =
          is_linear ? measure_linear(of, layout, &layout->paddings[i])
                    : measure_arranged(of, layout);
      if (!misfit.text.empty()) return misfit;
    }
    if (std::max(image.size.height, image.size.width) > kLargestSide) {
      return {"its images are too high or too wide", false};
    }
  }
  return {};
}

}  // namespace issp
