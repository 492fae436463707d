#include "upscaler.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "reach.h"

namespace issp::engine {
namespace {

constexpr int kUsualTile = 192;
// For networks with an unlimited receptive field.
constexpr int kUsualOverlap = 16;
constexpr int kColors = 3;
constexpr float kWhite = 255;

int up_to(int number, int step) { return (number + step - 1) / step * step; }

float level_of(float value) { return std::floor(value * kWhite + 0.5f); }

// Stores an 8-bit level as a number of the network's input.
void set_number(const Image& image, int at, uint8_t level, char* numbers) {
  const float value = level / kWhite;
  if (image.type == kPixelsFloat32) {
    reinterpret_cast<float*>(numbers)[at] = value;
    return;
  }
  const float number = std::nearbyint(value / image.quantization.scale) +
                       float(image.quantization.zero_point);
  if (image.type == kPixelsInt8) {
    reinterpret_cast<int8_t*>(numbers)[at] =
        int8_t(std::min(std::max(number, -128.0f), 127.0f));
  } else {
    reinterpret_cast<uint8_t*>(numbers)[at] =
        uint8_t(std::min(std::max(number, 0.0f), kWhite));
  }
}

// The 8-bit level of a number of the network's output.
uint8_t level(const Image& image, size_t at, const char* numbers) {
  float value;
  if (image.type == kPixelsFloat32) {
    value = reinterpret_cast<const float*>(numbers)[at];
  } else {
    const int number = image.type == kPixelsInt8
                           ? reinterpret_cast<const int8_t*>(numbers)[at]
                           : reinterpret_cast<const uint8_t*>(numbers)[at];
    value = float(number - image.quantization.zero_point) *
            image.quantization.scale;
  }
  // NaN becomes black.
  return value > 0 ? uint8_t(std::min(level_of(value), kWhite)) : 0;
}

size_t bytes_of_image(const Image& image) {
  return size_t(image.size.height) * image.size.width * image.channels *
         bytes_of(image.type);
}

}  // namespace

std::string Upscaler::start(const Size& photograph, int tile, int overlap) {
  scale_ = 0;
  tiling_ = {};
  if (photograph.height < 1 || photograph.width < 1) {
    return "a photograph has at least one pixel";
  }
  if (tile < 0) return "a tile has at least one pixel";
  const Image& in = session_.input();
  if (in.channels != kColors || session_.output().channels != kColors) {
    return "it does not take RGB and make RGB";
  }
  const int largest = tile ? tile : kUsualTile;
  const bool is_fixed = in.size_in_file != Size{};
  const Size size =
      is_fixed ? in.size_in_file
               : Size{tile_side(photograph.height, largest),
                      tile_side(photograph.width, largest)};
  std::string error = session_.resize(size);
  if (!error.empty()) return error;
  const Size made = session_.output().size;
  const int scale = made.height / size.height;
  if (scale < 1 || made != Size{scale * size.height, scale * size.width}) {
    return "it does not make an image a whole number of times larger";
  }
  if (overlap < 0) {
    const int seen = reach(session_.network());
    overlap = seen < 0 ? kUsualOverlap : up_to(seen, kAlignment);
  }
  const int most = std::min(size.height, size.width) / 4;
  // Memory may be missing for these.
  input_.resize(bytes_of_image(in));
  output_.resize(bytes_of_image(session_.output()));
  tiling_ = Tiling(photograph, size, std::min(overlap, most));
  scale_ = scale;
  return "";
}

Rectangle Upscaler::needed(int index) const {
  const auto along = [](const Cut& cut, int size, int tile, int* first) {
    // Scaling alpha also needs the neighbouring pixels.
    *first = std::max(std::min(cut.first, cut.start - 1), 0);
    return std::min(std::max(cut.first + tile, cut.end + 1), size) - *first;
  };
  const Size& image = tiling_.image();
  const Size& tile = tiling_.tile();
  Rectangle of;
  of.height = along(tiling_.down(index), image.height, tile.height, &of.top);
  of.width = along(tiling_.across(index), image.width, tile.width, &of.left);
  return of;
}

Rectangle Upscaler::made(int index) const {
  const Cut down = tiling_.down(index), across = tiling_.across(index);
  return {down.start, across.start, down.end - down.start,
          across.end - across.start};
}

std::string Upscaler::upscale(int index, const Picture<const uint8_t>& from,
                              const Picture<uint8_t>& to) {
  if (index < 0 || index >= tiling_.count()) return "there is no such tile";
  if (session_.input().size == Size{}) return "no size is set";
  if (session_.input().size != tiling_.tile()) {
    return "the network has another size than its tiles";
  }
  const Cut down = tiling_.down(index), across = tiling_.across(index);
  read(down, across, from);
  session_.run(input_.data(), output_.data());
  write(down, across, to);
  if (to.channels > kColors) write_alpha(down, across, from, to);
  return "";
}

// Mirrors a photograph that is smaller than a tile.
void Upscaler::read(const Cut& down, const Cut& across,
                    const Picture<const uint8_t>& from) {
  const Size& tile = tiling_.tile();
  int at = 0;
  for (int y = 0; y < tile.height; ++y) {
    const int row = mirrored(down.first + y, tiling_.image().height);
    for (int x = 0; x < tile.width; ++x) {
      const uint8_t* pixel =
          from.at(row, mirrored(across.first + x, tiling_.image().width));
      for (int c = 0; c < kColors; ++c) {
        set_number(session_.input(), at++, pixel[c], input_.data());
      }
    }
  }
}

void Upscaler::write(const Cut& down, const Cut& across,
                     const Picture<uint8_t>& to) {
  const int width = scale_ * tiling_.tile().width;
  for (int y = scale_ * down.start; y < scale_ * down.end; ++y) {
    const size_t row = size_t(y - scale_ * down.first) * width;
    for (int x = scale_ * across.start; x < scale_ * across.end; ++x) {
      const size_t pixel = row + x - scale_ * across.first;
      uint8_t* made = to.at(y, x);
      for (int c = 0; c < kColors; ++c) {
        made[c] = level(session_.output(), kColors * pixel + c, output_.data());
      }
    }
  }
}

void Upscaler::write_alpha(const Cut& down, const Cut& across,
                           const Picture<const uint8_t>& from,
                           const Picture<uint8_t>& to) const {
  const Size& image = tiling_.image();
  // The pixels before and after a position, and the weight of the second.
  struct Between {
    int before;
    int behind;
    float share;
  };
  const auto between = [&](int place, int size) {
    const float at = (float(place) + 0.5f) / float(scale_) - 0.5f;
    const float whole = std::floor(at);
    return Between{std::max(int(whole), 0), std::min(int(whole) + 1, size - 1),
                   at - whole};
  };
  for (int y = scale_ * down.start; y < scale_ * down.end; ++y) {
    const Between rows = between(y, image.height);
    for (int x = scale_ * across.start; x < scale_ * across.end; ++x) {
      const Between columns = between(x, image.width);
      const auto mix = [&](int row) {
        const float before = from.at(row, columns.before)[kColors];
        return before +
               columns.share * (from.at(row, columns.behind)[kColors] - before);
      };
      const float above = mix(rows.before), below = mix(rows.behind);
      to.at(y, x)[kColors] =
          uint8_t(above + rows.share * (below - above) + 0.5f);
    }
  }
}

}  // namespace issp::engine
