// What networks and kernels call the functions of single values.

#ifndef ISSP_POST_H_
#define ISSP_POST_H_

namespace issp {

// What happens to a value x of channel o after the sum.
enum PostKind {
  kClamp,     // min(max(x, low), high)
  kAdd,       // x + another image, at the pixel and channel or of one pixel
  kMultiply,  // x * another image, likewise
  kAffine,    // x * a[o] + b[o]
  kLeaky,     // x < 0 ? x * a[o] : x
  kLogistic,  // 1 / (1 + exp(-x))
};

}  // namespace issp

#endif  // ISSP_POST_H_
