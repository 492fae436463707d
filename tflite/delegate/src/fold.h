// Copies that only exist to be added or multiplied.

#ifndef ISSP_FOLD_H_
#define ISSP_FOLD_H_

#include "network.h"

namespace issp {

// Removes operations that copy channels, if only posts use the copies. These
// posts then read the copied image. The results of the network do not change,
// except that -0 is no longer copied as 0.
void fold_copies(Network* network);

}  // namespace issp

#endif  // ISSP_FOLD_H_
