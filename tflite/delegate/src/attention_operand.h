// The operands of a BATCH_MATMUL that is part of attention.

#ifndef ISSP_ATTENTION_OPERAND_H_
#define ISSP_ATTENTION_OPERAND_H_

#include <vector>

#include "tensors.h"
#include "views.h"

namespace issp {

// Queries, keys or values: of each window and head, pixels and channels.
struct Operand {
  View view;
  Digits windows;            // By pixel, of all dimensions but the last two.
  std::vector<Digits> batch;  // Those dimensions.
  Digits pixels;
  int channels = 1;
  Digit heads{kChannels, 1, 0};
};

// Reads an operand of BATCH_MATMUL; `transposed` if its channels come first.
// Returns whether it is one of attention.
bool read_operand(int tensor, bool transposed, const Tensors& tensors,
                  Operand* of);

// Whether two operands have the same windows and heads in the same places.
bool is_alike(const Operand& a, const Operand& b);

// How many numbers digits count.
int count(const Digits& digits);

}  // namespace issp

#endif  // ISSP_ATTENTION_OPERAND_H_
