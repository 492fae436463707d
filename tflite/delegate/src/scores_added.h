// Values that are added to attention scores: position biases and masks.

#ifndef ISSP_SCORES_ADDED_H_
#define ISSP_SCORES_ADDED_H_

#include <string>

#include "attention_operand.h"
#include "network.h"
#include "tensors.h"

namespace issp {

// Adds up the constants of scores, for each window and head of the queries.
// Windows with the same sums share one table. Returns the error, or an empty
// string.
std::string add_up(const Scores& scores, const Operand& queries,
                   const Tensors& tensors, Attention* attention);

}  // namespace issp

#endif  // ISSP_SCORES_ADDED_H_
