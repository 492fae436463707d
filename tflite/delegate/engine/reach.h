// How far a network sees around a pixel.

#ifndef ISSP_REACH_H_
#define ISSP_REACH_H_

#include "network.h"

namespace issp::engine {

// Pixels of the image that a network takes, from the pixel that it makes
// larger to the farthest that changes it; -1 if those may be all pixels.
int reach(const Network& network);

}  // namespace issp::engine

#endif  // ISSP_REACH_H_
