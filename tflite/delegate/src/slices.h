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

// The slices of the operations from `begin` to before `end`. Every thread
// begins with its own rows. At the end of its slice, it uses rows of the next
// thread. If there are few rows, there are fewer slices than threads.
std::vector<Slice> slices_of(const Network& network, const Layout& layout,
                             const std::vector<Life>& lives, int begin,
                             int end, int threads);

}  // namespace issp

#endif  // ISSP_SLICES_H_
