#include "attention_operand.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace issp {

bool read_operand(int tensor, bool transposed, const Tensors& tensors,
                  Operand* of) {
  const std::optional<View> view = tensors.view(tensor);
  if (!view || view->dimensions.size() < 3) return false;
  of->view = *view;
  const size_t rank = view->dimensions.size();
  Digits pixels = view->dimensions[rank - 2];
  Digits channels = view->dimensions[rank - 1];
  if (transposed) std::swap(pixels, channels);
  if (channels.size() > 1) return false;
  if (channels.size() == 1) {
    if (channels[0].axis != kChannels || channels[0].step != 1) return false;
    of->channels = channels[0].size;
  }
  for (const Digit& digit : pixels) {
    if (digit.axis != kDown && digit.axis != kAcrossPixels) return false;
  }
  of->pixels = pixels;
  int heads = 0;
  for (size_t i = 0; i + 2 < rank; ++i) {
    of->batch.push_back(view->dimensions[i]);
    for (const Digit& digit : view->dimensions[i]) {
      if (digit.axis == kChannels) {
        of->heads = digit;
        ++heads;
      } else if (digit.axis != kBatch) {
        of->windows.push_back(digit);
      }
    }
  }
  return heads <= 1;
}

bool is_alike(const Operand& a, const Operand& b) {
  if (a.view.size() != b.view.size() || a.pixels != b.pixels ||
      a.batch.size() != b.batch.size() ||
      a.view.extents[kBatch] != b.view.extents[kBatch] ||
      a.view.begins[kDown] != b.view.begins[kDown] ||
      a.view.begins[kAcrossPixels] != b.view.begins[kAcrossPixels]) {
    return false;
  }
  for (size_t i = 0; i < a.batch.size(); ++i) {
    if (a.batch[i].size() != b.batch[i].size()) return false;
    for (size_t k = 0; k < a.batch[i].size(); ++k) {
      Digit digit = b.batch[i][k];
      if (digit.axis == kChannels) digit.step = a.batch[i][k].step;
      if (!(digit == a.batch[i][k])) return false;
    }
  }
  return true;
}

int count(const Digits& digits) {
  int64_t count = 1;
  for (const Digit& digit : digits) count *= digit.size;
  return int(count);
}

}  // namespace issp
