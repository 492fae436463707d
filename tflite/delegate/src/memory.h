// Where images are in memory: the third pass of a plan.

#ifndef ISSP_MEMORY_H_
#define ISSP_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "groups.h"
#include "layout.h"
#include "liveness.h"
#include "network.h"

namespace issp {

struct Place {
  int rows = 0;       // For which there is memory.
  uint64_t offset = 0;  // In the arena.
  // From one thread's to the next, or 0 for an image that all share.
  uint64_t step = 0;
  // Of the first rows of a thread, which the one before takes.
  uint64_t first_rows = 0;

  bool is_shared() const { return step == 0; }
};

struct Places {
  std::vector<Place> images;  // By value.
  // Of all. There may be more than an address has bits for.
  uint64_t bytes = 0;
};

// Gives each image its place; images that are not in memory at the same time
// may have the same. What stays in a group is in memory of each thread's own.
Places allocate(const Network& network, const Layout& layout,
                const std::vector<Life>& lives,
                const std::vector<Group>& groups);

}  // namespace issp

#endif  // ISSP_MEMORY_H_
