// The report of a delegate, as JSON.

#ifndef ISSP_REPORT_H_
#define ISSP_REPORT_H_

#include <string>

#include "delegate.h"

namespace issp {

// To be called while `State::mutex` is held.
std::string report(const State& state);

}  // namespace issp

#endif  // ISSP_REPORT_H_
