// Shared by networks and kernels: the functions of single values, and the int8
// numbers of files.

#ifndef ISSP_POST_H_
#define ISSP_POST_H_

#include <cstdint>

namespace issp {

// What happens to a value x of channel o after the sum.
enum PostKind {
  kClamp,     // min(max(x, low), high)
  kAdd,       // x + another image, at the pixel and channel or of one pixel
  kMultiply,  // x * another image, likewise
  kAffine,    // x * a[o] + b[o]
  kLeaky,     // x < 0 ? x * a[o] : x
  kLogistic,  // 1 / (1 + exp(-x))
  kGelu,      // x times the share of normal numbers that are below x
  kGeluTanh,  // The same with a tanh of a cube in place of the error function.
};

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

#endif  // ISSP_POST_H_
