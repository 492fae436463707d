// Element-wise functions and int8 numbers. Networks and kernels share them.

#ifndef ISSP_POST_H_
#define ISSP_POST_H_

#include <cstdint>

namespace issp {

// The function of a value x of channel o after the sum.
enum PostKind {
  kClamp,     // min(max(x, low), high)
  kAdd,       // x + the same pixel of another image, or its only pixel
  kMultiply,  // x * another image, likewise
  kAffine,    // x * a[o] + b[o]
  kLeaky,     // x < 0 ? x * a[o] : x
  kLogistic,  // 1 / (1 + exp(-x))
  kGelu,      // x times the probability of a normal number below x
  kGeluTanh,  // The same with a tanh of a cube for the error function.
};

// A stored number q stands for (q - zero_point) * scale.
struct Quantization {
  float scale = 1;
  int zero_point = 0;

  bool operator==(const Quantization& other) const {
    return scale == other.scale && zero_point == other.zero_point;
  }
};

constexpr int kLeastInt8 = -128;
constexpr int kMostInt8 = 127;

// Channels in the bytes of one lane.
constexpr int kBlock = 4;

// Adds another image, or a number of each channel, in integers like XNNPACK:
// ((x * a + other * b + bias) >> shift) + zero point, within bounds.
struct Int8Addition {
  int32_t a = 0;
  int32_t b = 0;
  int32_t bias = 0;
  int32_t shift = 1;
};

// The type of the runtime's pixels.
enum PixelType { kPixelsFloat32, kPixelsInt8, kPixelsUint8 };

constexpr int bytes_of(PixelType type) {
  return type == kPixelsFloat32 ? int(sizeof(float)) : 1;
}

}  // namespace issp

#endif  // ISSP_POST_H_
