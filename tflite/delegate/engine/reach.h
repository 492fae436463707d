// The receptive field of a network.

#ifndef ISSP_REACH_H_
#define ISSP_REACH_H_

#include "network.h"

namespace issp::engine {

// The radius of the receptive field, in pixels of the input image; -1 if an
// output pixel may depend on all input pixels.
int reach(const Network& network);

}  // namespace issp::engine

#endif  // ISSP_REACH_H_
