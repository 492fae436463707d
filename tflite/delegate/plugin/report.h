// The report of a delegate, as JSON.

#ifndef ISSP_REPORT_H_
#define ISSP_REPORT_H_

#include <string>

#include "delegate.h"

namespace issp {

// Hold `State::mutex` while calling this.
std::string report(const State& state);

}  // namespace issp

#endif  // ISSP_REPORT_H_
