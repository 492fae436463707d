// What operators on tensors of any shape compute: those that move numbers to
// other places, and products of many matrices.

#ifndef ISSP_REFERENCE_MOVES_H_
#define ISSP_REFERENCE_MOVES_H_

#include <vector>

#include "reference.h"

namespace issp::testing {

// Whether an operator is one of these.
bool is_move(int code);

// The shape of one of the `outputs` results of such an operator.
Shape moved_shape(int code, const void* parameters,
                  const std::vector<const Array*>& inputs, int output,
                  int outputs);

Array moved(int code, const void* parameters,
            const std::vector<const Array*>& inputs, int output, int outputs);

}  // namespace issp::testing

#endif  // ISSP_REFERENCE_MOVES_H_
