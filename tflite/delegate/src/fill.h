// Fills rows: sets them to zero, moves them in memory, or repeats them beyond
// the border.

#ifndef ISSP_FILL_H_
#define ISSP_FILL_H_

#include "layout.h"
#include "schedule.h"

namespace issp {

// Executes a step `kZero`, `kMove` or `kRepeat`, in a turn of its loop. `data`
// is the arena.
void fill(const Step& step, int turn, const Layout& layout, char* data);

}  // namespace issp

#endif  // ISSP_FILL_H_
