// Measures and chooses the tile of each operation, and whether several threads
// are faster.

#ifndef ISSP_TUNE_H_
#define ISSP_TUNE_H_

#include <vector>

#include "execute.h"
#include "kernels.h"
#include "layout.h"
#include "network.h"
#include "program.h"
#include "schedule.h"

namespace issp {

// Whether groups take so long that threads compute longer than they wait for
// each other.
bool is_worth_threads(const Network& network, const Layout& layout, int groups,
                      const std::vector<std::vector<Program>>& programs);

// Chooses tiles until the time is over. Equal operations are tried once.
// Results do not depend on tiles. `schedule` may be that of any thread.
void tune(const Network& network, const Layout& layout,
          const Schedule& schedule, const Kernels& kernels,
          const Executor& executor, double seconds,
          std::vector<std::vector<Program>>* programs);

}  // namespace issp

#endif  // ISSP_TUNE_H_
