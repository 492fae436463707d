// The expected time of a part, in the delegate and in a dense runtime.

#ifndef ISSP_COST_H_
#define ISSP_COST_H_

#include "layout.h"
#include "network.h"

namespace issp {

// The fraction of zero weights, over operations with more than one weight per
// channel.
double sparsity(const Network& network);

// Blocks of four input channels in which an operation has a weight.
int64_t blocks_of(const Operation& of);

// Time in nanoseconds on one core.
struct Cost {
  double dense = 0;   // In XNNPACK.
  double sparse = 0;  // In the delegate.

  double speedup() const { return sparse > 0 ? dense / sparse : 0; }
};

// The format of images on the CPU where the costs were measured.
constexpr Format kFormatOfCosts{16, 4};

// `layout` has the expected image sizes, in `kFormatOfCosts`.
Cost cost_of(const Network& network, const Layout& layout);

// The cost of one operation. In other formats, costs are only good for
// comparing operations.
Cost cost_of(const Network& network, const Layout& layout,
             const Operation& of);

}  // namespace issp

#endif  // ISSP_COST_H_
