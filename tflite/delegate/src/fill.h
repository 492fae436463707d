// What is done to rows besides computing them: they are zeroed, moved to the
// front of their memory, or repeated beyond the border.

#ifndef ISSP_FILL_H_
#define ISSP_FILL_H_

#include "layout.h"
#include "schedule.h"
#include "share.h"

namespace issp {

// Does a step that is not `kCompute`, in a turn of its loop. `data` is the
// arena.
void fill(const Step& step, int turn, const Layout& layout, char* data,
          const Share& share);

}  // namespace issp

#endif  // ISSP_FILL_H_
