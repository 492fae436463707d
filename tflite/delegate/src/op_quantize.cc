// QUANTIZE and DEQUANTIZE of images: between float32 and int8, between int8
// scales, and between int8 and the same numbers in uint8.

#include <string>
#include <utility>
#include <vector>

#include "operators.h"

namespace issp {
namespace {

constexpr char kOtherNumbers[] =
    "it takes or makes other numbers than float32, int8, or uint8 at the ends";

// Whether a uint8 tensor has the numbers of an int8 tensor.
bool is_uint8_of(int bytes, int int8, const Tensors& tensors) {
  if (bytes < 0 || !tensors.is_quantized(bytes, tflite::kUint8)) return false;
  const Quantization of = tensors.quantization(bytes);
  const Quantization other = tensors.quantization(int8);
  return of.scale == other.scale && of.zero_point == other.zero_point + 128;
}

const char* check(const GraphNode& node, Tensors* of_graph, Extent* made) {
  const Tensors& tensors = *of_graph;
  const int in = node.input(0), out = node.output();
  if (in < 0) return kOtherNumbers;
  const bool from_image = tensors.is_image(in), to_image =
      tensors.is_new_image(out);
  if (!tensors.at(in).shape || !tensors.at(out).shape ||
      tensors.rank(in) != 4 || tensors.rank(out) != 4 ||
      tensors.channels(in) != tensors.channels(out)) {
    return kOtherChannels;
  }
  const bool is_known =
      (from_image && to_image &&
       (tensors.is_int8(in) || tensors.is_int8(out))) ||
      (to_image && tensors.is_int8(out) && is_uint8_of(in, out, tensors)) ||
      (from_image && tensors.is_int8(in) && is_uint8_of(out, in, tensors));
  if (!is_known) return kOtherNumbers;
  *made = tensors.extent(in);
  return nullptr;
}

std::string build(const GraphNode& node, Builder* builder) {
  const Tensors& tensors = builder->tensors();
  const int in = node.input(0), out = node.output();
  if (!tensors.is_int8(out)) {
    builder->give_pixels(
        out, in, tensors.is_float(out) ? kPixelsFloat32 : kPixelsUint8);
    return "";
  }
  if (tensors.is_int8(in)) {
    builder->requantize(&builder->opened(in, node), node, true);
    return "";
  }
  if (!tensors.is_float(in)) {
    return builder->take_pixels(out, in, kPixelsUint8)
               ? ""
               : "its image in uint8 has other uses";
  }
  if (builder->take_pixels(out, in, kPixelsFloat32)) return "";
  Operation of;
  of.kind = Operation::kQuantize;
  of.input = builder->value_of(in);
  of.bias.assign(tensors.channels(out), 0);
  of.name = builder->name_of(node);
  builder->append(std::move(of), node);
  return "";
}

}  // namespace

const Operator kQuantizations[] = {
    {tflite::kQuantize, check, build, Operator::kPlain, Operator::kConverts},
    {tflite::kDequantize, check, build, Operator::kPlain, Operator::kConverts},
    {},
};

}  // namespace issp
