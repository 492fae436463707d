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

// Operations.
struct Group {
  int begin;
  int end;
  int rows;  // Of the last operation, in a band.
  std::vector<Slice> slices;  // By thread; others wait.
};

// Bands of a thread may take so many bytes.
std::vector<Group> cut(const Network& network, const Layout& layout,
                       const std::vector<Life>& lives, size_t cache_bytes,
                       int threads);

}  // namespace issp

#endif  // ISSP_GROUPS_H_
