// Which operations compute an image in bands together: the second pass of a
// plan. An image that is used only inside a group needs memory for a few rows,
// so it stays in the cache. An image that is used outside is stored whole.

#ifndef ISSP_GROUPS_H_
#define ISSP_GROUPS_H_

#include <cstddef>
#include <vector>

#include "bands.h"
#include "layout.h"
#include "liveness.h"
#include "network.h"

namespace issp {

// Operations from `begin` to before `end`.
struct Group {
  int begin;
  int end;
  int rows;  // Rows of the last operation in a band.
  std::vector<Slice> slices;  // By thread. Further threads wait.
};

// The bands of a thread use at most `cache_bytes`, if possible.
std::vector<Group> cut(const Network& network, const Layout& layout,
                       const std::vector<Life>& lives, size_t cache_bytes,
                       int threads);

}  // namespace issp

#endif  // ISSP_GROUPS_H_
