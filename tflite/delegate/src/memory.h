// Assigns memory to images: the third pass of a plan.

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
  int rows = 0;       // Rows in memory.
  uint64_t offset = 0;  // In the arena.
  // From one thread's rows to the next thread's; 0 for a shared image.
  uint64_t step = 0;
  // Place of a thread's first rows, which the thread before uses.
  uint64_t first_rows = 0;

  bool is_shared() const { return step == 0; }
};

struct Places {
  std::vector<Place> images;  // By value.
  // Of all images. This may exceed the address space.
  uint64_t bytes = 0;
};

// Gives each image its place. Images that are not needed at the same time may
// share memory. For images that stay in a group, each thread has its own
// memory.
Places allocate(const Network& network, const Layout& layout,
                const std::vector<Life>& lives,
                const std::vector<Group>& groups);

}  // namespace issp

#endif  // ISSP_MEMORY_H_
