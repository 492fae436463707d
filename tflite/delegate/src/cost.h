// What a network is expected to cost, here and in a dense runtime.

#ifndef ISSP_COST_H_
#define ISSP_COST_H_

#include "network.h"

namespace issp {

// Share of the weights that are zero, of what has more than one a channel.
double sparsity(const Network& network);

// How many times faster than a dense runtime it is expected to be.
double speedup(const Network& network);

}  // namespace issp

#endif  // ISSP_COST_H_
