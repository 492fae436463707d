// The rules of `size_operators.cc`: what each operator makes of the known facts
// about its inputs. Each kind of operator has its own file.

#ifndef ISSP_SIZE_RULES_H_
#define ISSP_SIZE_RULES_H_

#include <cstddef>
#include <optional>

#include "arrays.h"
#include "size_operators.h"

namespace issp {

// Larger than any image. `measure.cc` has the same limit of sides.
constexpr int kLargestSize = 1 << 26;

using Made = std::optional<Known>;

using Rule = Made (*)(const KnownNode&);

// The rule of an operator, or null if it is of another kind.
Rule rule_of_layer(int code);    // Only makes shapes.
Rule rule_of_move(int code);     // Moves numbers to other places.
Rule rule_of_numbers(int code);  // Computes numbers.

// The dimension of an axis, or -1. A negative axis counts from the end.
int dimension(int axis, size_t rank);

Made of_array(std::optional<Array> array);
Made of_shape(std::optional<Shape> shape);

// A result with the shape of the input.
Made same(const KnownNode& node);

}  // namespace issp

#endif  // ISSP_SIZE_RULES_H_
