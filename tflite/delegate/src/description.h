// Describes parts of a graph, as JSON.

#ifndef ISSP_DESCRIPTION_H_
#define ISSP_DESCRIPTION_H_

#include <string>
#include <vector>

#include "part.h"
#include "plan.h"

namespace issp {

// A text as JSON has it.
std::string quoted(const std::string& text);

// One part. Args: `plan`, how it is computed, or null before that is known;
// and the seconds that each of its operations took in so many runs.
std::string describe(const Part& part, const Plan* plan,
                     const std::vector<double>& seconds, int runs);

}  // namespace issp

#endif  // ISSP_DESCRIPTION_H_
