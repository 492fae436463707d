// Which values of a network are needed, and for how long.

#ifndef ISSP_LIVENESS_H_
#define ISSP_LIVENESS_H_

#include <vector>

#include "network.h"

namespace issp {

// From the operation that makes a value to the last one that uses it.
struct Life {
  int first = -1;
  int last = -1;
};

// By value.
std::vector<Life> lives_of(const Network& network);

// Whether an operation uses a value.
bool uses(const Operation& of, int value);

// The used channels of each value. A sparse kernel may read only a few.
std::vector<std::vector<bool>> used_channels(const Network& network);

}  // namespace issp

#endif  // ISSP_LIVENESS_H_
