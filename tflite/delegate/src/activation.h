// The activation functions of TFLite's operators.

#ifndef ISSP_ACTIVATION_H_
#define ISSP_ACTIVATION_H_

#include <limits>

#include "tflite_abi.h"

namespace issp {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Gets the bounds of an activation. Returns false if it does more than clamp.
inline bool bounds_of(int activation, float* low, float* high) {
  *low = -kInfinity;
  *high = kInfinity;
  switch (activation) {
    case tflite::kNoActivation:
      return true;
    case tflite::kActivationRelu:
      *low = 0;
      return true;
    case tflite::kActivationReluN1To1:
      *low = -1;
      *high = 1;
      return true;
    case tflite::kActivationRelu6:
      *low = 0;
      *high = 6;
      return true;
  }
  return false;
}

inline bool has_bounds(int activation) {
  float low, high;
  return bounds_of(activation, &low, &high);
}

}  // namespace issp

#endif  // ISSP_ACTIVATION_H_
