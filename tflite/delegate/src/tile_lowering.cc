#include "tile_lowering.h"

#include <algorithm>

namespace issp {

TileLowering::TileLowering(const Layout& layout, const Operation& of,
                           const std::vector<int>& outputs)
    : layout_(layout),
      of_(of),
      in_(layout.images[of.input]),
      out_(layout.images[of.output]),
      vector_(int(layout.format.vector())) {
  program_.outputs = int(outputs.size());
  program_.strip = out_.strip / of.block;
  program_.channels = {outputs.begin(), outputs.end()};
  for (int o : outputs) {
    program_.columns.push_back(uint8_t(o / out_.planes % of.block));
    program_.output_offsets.push_back(offset_in(out_, o, out_.planes, true));
  }
  set_borders();
}

int32_t TileLowering::offset_in(const Image& image, int o, int planes,
                                bool shuffled) const {
  const int place = shuffled ? o / planes : 0;
  const int plane = shuffled ? o % planes : o;
  return int32_t(int64_t(place / of_.block) * int64_t(image.row) +
                 int64_t(plane) * int64_t(image.channel) +
                 int64_t(place % of_.block) * vector_);
}

int64_t TileLowering::offset_of(int row, int column, int plane,
                                int left) const {
  return int64_t(row) * of_.dilation.height * int64_t(in_.row) +
         plane * int64_t(in_.channel) +
         (int64_t(column) * of_.dilation.width - left) * vector_;
}

void TileLowering::set_borders() {
  for (int column = 0; column < of_.block; ++column) {
    std::vector<Border> borders;
    for (int v = 0; v < program_.strip; ++v) {
      add_borders(v, v * of_.block + column, &borders);
    }
    program_.borders.push_back(std::move(borders));
  }
  for (const std::vector<Border>& borders : program_.borders) {
    program_.border_begins.push_back(borders.data());
    program_.border_counts.push_back(int(borders.size()));
  }
}

// Adds the borders that copy vector t of a row.
void TileLowering::add_borders(int v, int t,
                             std::vector<Border>* borders) const {
  const int lanes = layout_.format.lanes;
  int valid = lanes;
  for (int x = out_.size.width; x < out_.size.width + out_.zeros; ++x) {
    if (x % out_.strip == t) valid = std::min(valid, x / out_.strip);
  }
  const size_t before = borders->size();
  const int64_t strip = int64_t(out_.strip) * vector_;
  for (int by = 1; t + by * out_.strip < out_.strip + out_.right; ++by) {
    borders->push_back({v, valid, -by, by * strip});
  }
  for (int by = 1; t - by * out_.strip >= -out_.left; ++by) {
    borders->push_back({v, valid, by, -by * strip});
  }
  if (borders->size() == before && valid < lanes) {
    borders->push_back({v, valid, 0, 0});
  }
}

}  // namespace issp
