// The expected time of a part, in the delegate and in a dense runtime.

#ifndef ISSP_COST_H_
#define ISSP_COST_H_

#include "layout.h"
#include "network.h"

namespace issp {

// Share of the weights that are zero, of what has more than one a channel.
double sparsity(const Network& network);

// Blocks of four input channels in which a layer has a weight.
int64_t blocks_of(const Operation& of);

// Nanoseconds of one core.
struct Cost {
  double dense = 0;   // In XNNPACK.
  double sparse = 0;  // In the delegate.

  double speedup() const { return sparse > 0 ? dense / sparse : 0; }
};

// How images are laid out on the CPU that the costs were measured on.
constexpr Format kFormatOfCosts{16, 4};

// Args: `layout`, in `kFormatOfCosts`, of images of the size that is expected.
Cost cost_of(const Network& network, const Layout& layout);

// Of one operation. What is said of images in other formats is good for
// comparing operations.
Cost cost_of(const Network& network, const Layout& layout,
             const Operation& of);

}  // namespace issp

#endif  // ISSP_COST_H_
