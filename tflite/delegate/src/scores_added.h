// The values that are added to attention scores: position biases and masks.

#ifndef ISSP_SCORES_ADDED_H_
#define ISSP_SCORES_ADDED_H_

#include <string>

#include "attention_operand.h"
#include "network.h"
#include "tensors.h"

namespace issp {

// Adds up the constants of scores by window and head, for queries that have
// these. Windows with the same sums share one table. Returns what forbids it,
// or nothing.
std::string add_up(const Scores& scores, const Operand& queries,
                   const Tensors& tensors, Attention* attention);

}  // namespace issp

#endif  // ISSP_SCORES_ADDED_H_
