// Numbers in int8, as files have them, and what networks and kernels call what
// is done to them.

#ifndef ISSP_INT8_H_
#define ISSP_INT8_H_

#include <cstdint>

namespace issp {

// A number q is (q - zero_point) * scale.
struct Quantization {
  float scale = 1;
  int zero_point = 0;

  bool operator==(const Quantization& other) const {
    return scale == other.scale && zero_point == other.zero_point;
  }
};

constexpr int kLeastInt8 = -128;
constexpr int kMostInt8 = 127;

// Channels that are kept together, in the bytes of one lane.
constexpr int kBlock = 4;

// What adds another image, or a number of each channel, in integers as XNNPACK:
// ((x * a + other * b + bias) >> shift) + zero point, within bounds.
struct Int8Addition {
  int32_t a = 0;
  int32_t b = 0;
  int32_t bias = 0;
  int32_t shift = 1;
};

// What the pixels of the runtime are.
enum PixelType { kPixelsFloat32, kPixelsInt8, kPixelsUint8 };

constexpr int bytes_of(PixelType type) {
  return type == kPixelsFloat32 ? int(sizeof(float)) : 1;
}

}  // namespace issp

#endif  // ISSP_INT8_H_
