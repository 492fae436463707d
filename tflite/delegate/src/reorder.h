// The order of channels in int8. A block of four with one non-zero costs as
// much as a full block. So channels with non-zeros at the same places should be
// in the same block.

#ifndef ISSP_REORDER_H_
#define ISSP_REORDER_H_

#include "network.h"

namespace issp {

// Reorders the channels of images in int8 such that fewer blocks of weights
// have a non-zero. Images that are added or multiplied have the same order.
// Inputs and outputs keep their order. The results of the network do not
// change.
void reorder_channels(Network* network);

}  // namespace issp

#endif  // ISSP_REORDER_H_
