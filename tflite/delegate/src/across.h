// The functions of all channels of a pixel. Networks and kernels share these
// names.

#ifndef ISSP_ACROSS_H_
#define ISSP_ACROSS_H_

namespace issp {

enum AcrossKind {
  kSoftmax,    // exp(number * x[o]) / sum of these over all o
  kNormalize,  // (x[o] - mean) / sqrt(variance + number)
  kAcrossKinds,  // The number of kinds.
};

// The cost of a value, in products of a sparse kernel. A dense runtime may need
// several operators for it.
struct AcrossCost {
  double dense;
  double sparse;
};

constexpr AcrossCost kAcrossCosts[] = {
    {12, 12},  // kSoftmax
    {28, 12},  // kNormalize
};

}  // namespace issp

#endif  // ISSP_ACROSS_H_
