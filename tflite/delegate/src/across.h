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

// The name of a kind in reports. The cost of a value, in products of a sparse
// kernel. A dense runtime may need several operators for it.
struct AcrossTraits {
  const char* name;
  double dense;
  double sparse;
};

constexpr AcrossTraits kAcrossTraits[] = {
    {"softmax", 12, 12},        // kSoftmax
    {"normalization", 28, 12},  // kNormalize
};
static_assert(sizeof(kAcrossTraits) == kAcrossKinds * sizeof(AcrossTraits),
              "each kind has traits");

}  // namespace issp

#endif  // ISSP_ACROSS_H_
