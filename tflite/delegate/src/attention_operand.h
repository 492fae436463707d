// The operands of a BATCH_MATMUL that is part of attention.

#ifndef ISSP_ATTENTION_OPERAND_H_
#define ISSP_ATTENTION_OPERAND_H_

#include <vector>

#include "tensors.h"
#include "views.h"

namespace issp {

// Queries, keys or values. They have pixels and channels for each window and
// head.
struct Operand {
  View view;
  Digits windows;            // Of pixels, in all dimensions but two.
  std::vector<Digits> batch;  // All dimensions but the last two.
  Digits pixels;
  int channels = 1;
  Digit heads{kChannels, 1, 0};
};

// Reads an operand of BATCH_MATMUL. `transposed` says whether its channels come
// first. Returns whether the operand is one of attention.
bool read_operand(int tensor, bool transposed, const Tensors& tensors,
                  Operand* of);

// Whether two operands have the same windows and heads in the same places.
bool is_alike(const Operand& a, const Operand& b);

// The product of the sizes of digits.
int count(const Digits& digits);

}  // namespace issp

#endif  // ISSP_ATTENTION_OPERAND_H_
