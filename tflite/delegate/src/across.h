// Names of the functions of all channels of a pixel, for networks and kernels.

#ifndef ISSP_ACROSS_H_
#define ISSP_ACROSS_H_

namespace issp {

enum AcrossKind {
  kSoftmax,    // exp(number * x[o]), as a share of the sum of all
  kNormalize,  // (x[o] - mean) / sqrt(variance + number)
  kAcrossKinds,  // How many there are.
};

// What a value costs, in products of a sparse kernel: in a dense runtime, which
// may take several operators for it, and here.
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
