// Finds filters that have their weights at the same places.

#ifndef ISSP_ALIKE_H_
#define ISSP_ALIKE_H_

#include <vector>

#include "network.h"

namespace issp {

// Takes groups of outputs out of `outputs`. The `group` outputs of a group have
// their weights at the same places. Takes none if they would have less than
// half of all weights.
std::vector<int> take_alike(const Operation& of, std::vector<int>* outputs,
                            int* group);

}  // namespace issp

#endif  // ISSP_ALIKE_H_
