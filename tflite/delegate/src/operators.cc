#include "operators.h"

#include <initializer_list>

namespace issp {
namespace {

const Operator* find(int code, std::initializer_list<const Operator*> tables) {
  for (const Operator* all : tables) {
    for (const Operator* of = all; of->check; ++of) {
      if (of->code == code) return of;
    }
  }
  return nullptr;
}

}  // namespace

const Operator* find_operator(const GraphNode& node, const Tensors& tensors) {
  bool takes_moment = is_mean_of_channels(node, tensors);
  bool takes_symbol = false;
  for (int i = 0; i < node.node->inputs->size; ++i) {
    const int in = node.input(i);
    if (in < 0) continue;
    takes_moment = takes_moment || tensors.moment(in);
    // One head with all channels is neither a symbol nor an image.
    takes_symbol = takes_symbol || tensors.is_symbol(in) ||
                   (node.code == tflite::kConcatenation &&
                    tensors.is_crop(in)) ||
                   (node.code == tflite::kMul && tensors.is_rearranged(in) &&
                    tensors.rank(in) != 4);
  }
  if (takes_moment) return find(node.code, {kNormalizations});
  if (takes_symbol) return find(node.code, {kAttentions, kMoves});
  return find(node.code,
              {kConcatenations, kConvolutions, kElementwise, kFunctions,
               kGathers, kMoves, kQuantizations, kReductions, kResamplings,
               kSoftmaxes, kAttentions});
}

bool is_pixelwise(const GraphNode& node, const Operator& of,
                  const Tensors& tensors) {
  if (of.role == Operator::kEach) return true;
  const bool is_whole = node.input(1) >= 0 && node.node->parameters;
  if (node.code != tflite::kConv2D || !is_whole) return false;
  const tflite::IntArray* kernel = tensors.at(node.input(1)).shape;
  const auto& window = node.parameters<tflite::ConvParameters>();
  return kernel && kernel->size == 4 && kernel->data[1] == 1 &&
         kernel->data[2] == 1 && window.stride_height == 1 &&
         window.stride_width == 1;
}

}  // namespace issp
