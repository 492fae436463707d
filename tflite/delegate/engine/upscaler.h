// Upscales photographs of 8 bits in tiles.

#ifndef ISSP_UPSCALER_H_
#define ISSP_UPSCALER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session.h"
#include "tiling.h"

namespace issp::engine {

// Pixels of 8 bits, with 3 or 4 channels.
template <class Byte>
struct Picture {
  Byte* pixels;
  size_t stride;  // Bytes from row to row.
  int channels;
  int top = 0;  // Where in a photograph the first pixel is.
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

  // Prepares for a photograph. Args: `tile` and `overlap` as `issp_start` has
  // them. Returns what forbids it, or nothing.
  std::string start(const Size& photograph, int tile, int overlap);

  int tiles() const { return tiling_.count(); }
  int scale() const { return scale_; }

  // What a tile needs of the photograph, and which of its pixels it makes.
  Rectangle needed(int index) const;
  Rectangle made(int index) const;

  // Upscales one tile. Returns what forbids it, or nothing.
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
