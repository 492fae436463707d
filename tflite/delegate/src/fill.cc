#include "fill.h"

#include <cstdint>
#include <cstring>

namespace issp {
namespace {

// Writes single pixels in the strips of an image.
class Pixels {
 public:
  Pixels(const Image& image, const Format& format)
      : image_(image), lanes_(format.lanes), scalar_(format.scalar_bytes) {}

  // Copies pixel `from` to all places of pixel x.
  void copy(char* row, int x, int from) const {
    const char* value = at(row, from / image_.strip, from % image_.strip);
    for (int lane = 0; lane < lanes_; ++lane) {
      const int t = x - lane * image_.strip;
      if (t < -image_.left || t >= image_.strip + image_.right) continue;
      std::memcpy(at(row, lane, t), value, size_t(scalar_));
    }
  }

 private:
  char* at(char* row, int lane, int t) const {
    return row + (int64_t(t) * lanes_ + lane) * scalar_;
  }

  const Image& image_;
  const int lanes_;
  const int64_t scalar_;
};

// Repeats the border pixels of rows beyond the border. `row` is the first row.
void repeat(const Image& image, const Format& format, int begin, int rows,
            char* row) {
  const Pixels pixels(image, format);
  for (int y = 0; y < rows; ++y) {
    for (int c = 0; c < image.planes; ++c) {
      char* channel = row + y * image.row + c * image.channel;
      for (int x = 1; x <= image.left; ++x) pixels.copy(channel, -x, 0);
      for (int x = 0; x < image.zeros; ++x) {
        pixels.copy(channel, image.size.width + x, image.size.width - 1);
      }
    }
  }
  char* first = row - image.left * format.vector();
  const auto copy_row = [&](int from, int to) {
    std::memcpy(first + (to - begin) * int64_t(image.row),
                first + (from - begin) * int64_t(image.row), image.row);
  };
  if (begin == 0) {
    for (int y = 1; y <= image.top; ++y) copy_row(0, -y);
  }
  const int height = image.size.height;
  if (begin + rows == height) {
    for (int y = 0; y < image.bottom; ++y) copy_row(height - 1, height + y);
  }
}

}  // namespace

void fill(const Step& step, int turn, const Layout& layout, char* data) {
  const Image& image = layout.images[step.value];
  char* output = data + step.output.at(turn);
  const size_t bytes = size_t(step.rows) * image.row;
  switch (step.kind) {
    case Step::kZero:
      std::memset(output, image.zero, bytes);
      break;
    case Step::kMove:
      std::memmove(output, data + step.input.at(turn), bytes);
      break;
    default:
      repeat(image, layout.format, int(step.begin.at(turn)), step.rows,
             output);
  }
}

}  // namespace issp
