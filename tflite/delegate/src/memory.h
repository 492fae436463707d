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
};

struct Places {
  std::vector<Place> images;  // By value.
  // Of all. There may be more than an address has bits for.
  uint64_t bytes = 0;
};

// Gives each image its place; images that are not in memory at the same time
// may have the same.
Places allocate(const Network& network, const Layout& layout,
                const std::vector<Life>& lives,
                const std::vector<Group>& groups);

}  // namespace issp

#endif  // ISSP_MEMORY_H_
