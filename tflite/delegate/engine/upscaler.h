// Upscales 8-bit photographs in tiles.

#ifndef ISSP_UPSCALER_H_
#define ISSP_UPSCALER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session.h"
#include "tiling.h"

namespace issp::engine {

// 8-bit pixels with 3 or 4 channels.
template <class Byte>
struct Picture {
  Byte* pixels;
  size_t stride;  // Bytes from row to row.
  int channels;
  int top = 0;  // Row of the first pixel in the photograph.
  int left = 0;

  Byte* at(int y, int x) const {
    return pixels + (y - top) * stride + (x - left) * channels;
  }
};

struct Rectangle {
  int top;
  int left;
  int height;
  int width;
};

class Upscaler {
 public:
  explicit Upscaler(Session* session) : session_(*session) {}

  // Prepares for a photograph. `tile` and `overlap` are those of `issp_start`.
  // Returns the error, or an empty string.
  std::string start(const Size& photograph, int tile, int overlap);

  int tiles() const { return tiling_.count(); }
  int scale() const { return scale_; }

  // The part of the photograph that a tile needs, and the part that it
  // upscales.
  Rectangle needed(int index) const;
  Rectangle made(int index) const;

  // Upscales one tile. Returns the error, or an empty string.
  std::string upscale(int index, const Picture<const uint8_t>& from,
                      const Picture<uint8_t>& to);

 private:
  void read(const Cut& down, const Cut& across,
            const Picture<const uint8_t>& from);
  void write(const Cut& down, const Cut& across, const Picture<uint8_t>& to);
  void write_alpha(const Cut& down, const Cut& across,
                   const Picture<const uint8_t>& from,
                   const Picture<uint8_t>& to) const;

  Session& session_;
  Tiling tiling_;
  int scale_ = 0;
  std::vector<char> input_;
  std::vector<char> output_;
};

}  // namespace issp::engine

#endif  // ISSP_UPSCALER_H_
