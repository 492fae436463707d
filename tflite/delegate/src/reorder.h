// The order of channels in int8. A block of four with one non-zero costs as
// much as a full block. So channels with non-zeros at the same places should be
// in the same block.

#ifndef ISSP_REORDER_H_
#define ISSP_REORDER_H_

#include "network.h"

namespace issp {

// Reorders the channels of images in int8 such that fewer blocks of weights
// have a non-zero. Images that are added to each other, or multiplied, keep one
// order; what comes from outside or leaves keeps its own. The network computes
// the same.
void reorder_channels(Network* network);

}  // namespace issp

#endif  // ISSP_REORDER_H_
