// Operations that need not be computed.

#ifndef ISSP_FOLD_H_
#define ISSP_FOLD_H_

#include "network.h"

namespace issp {

// Lets posts that use an image of repeated channels read the image itself, and
// removes the repetition if nothing else uses it. The results of the network do
// not change, except that -0 is no longer copied as 0.
void fold_copies(Network* network);

// Removes the operation that makes a value, unless an operation uses the value.
// Returns whether it is removed.
bool remove_if_unused(int value, Network* network);

}  // namespace issp

#endif  // ISSP_FOLD_H_
