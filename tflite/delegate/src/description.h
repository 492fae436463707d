// Describes parts of a graph, as JSON.

#ifndef ISSP_DESCRIPTION_H_
#define ISSP_DESCRIPTION_H_

#include <string>
#include <vector>

#include "part.h"
#include "plan.h"

namespace issp {

// A text as a JSON string.
std::string quoted(const std::string& text);

// Describes one part. `plan` may be null before there is one. `seconds` are the
// total times of the operations in `runs` runs.
std::string describe(const Part& part, const Plan* plan,
                     const std::vector<double>& seconds, int runs);

}  // namespace issp

#endif  // ISSP_DESCRIPTION_H_
