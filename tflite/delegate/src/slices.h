// How threads share a group of operations: each thread computes some rows of
// all operations, from the first to the last.

#ifndef ISSP_SLICES_H_
#define ISSP_SLICES_H_

#include <vector>

#include "bands.h"
#include "layout.h"
#include "liveness.h"
#include "network.h"

namespace issp {

// What each thread computes of the operations from `begin` to before `end`.
// They are cut where every thread can begin with rows of its own; at its end
// it takes what it lacks from the next. There are fewer slices than threads if
// there are few rows.
std::vector<Slice> slices_of(const Network& network, const Layout& layout,
                             const std::vector<Life>& lives, int begin,
                             int end, int threads);

}  // namespace issp

#endif  // ISSP_SLICES_H_
