// Computes operators on tensors of any shape: those that move numbers, and
// batched matrix products.

#ifndef ISSP_REFERENCE_MOVES_H_
#define ISSP_REFERENCE_MOVES_H_

#include <vector>

#include "reference.h"

namespace issp::testing {

// Whether an operator is one of these.
bool is_move(int code);

// The shape of result `output` of `outputs` of such an operator.
Shape moved_shape(int code, const void* parameters,
                  const std::vector<const Array*>& inputs, int output,
                  int outputs);

Array moved(int code, const void* parameters,
            const std::vector<const Array*>& inputs, int output, int outputs);

}  // namespace issp::testing

#endif  // ISSP_REFERENCE_MOVES_H_
