// Filters that have their weights at the same places.

#ifndef ISSP_ALIKE_H_
#define ISSP_ALIKE_H_

#include <vector>

#include "network.h"

namespace issp {

// Takes those of `outputs` that have their weights at the same places as some
// others, `group` after `group`; none, if they have less than half of all
// weights.
std::vector<int> take_alike(const Operation& of, std::vector<int>* outputs,
                            int* group);

}  // namespace issp

#endif  // ISSP_ALIKE_H_
