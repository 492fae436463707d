// Time, to measure with.

#ifndef ISSP_CLOCK_H_
#define ISSP_CLOCK_H_

#include <chrono>

namespace issp {

// Seconds since some time.
inline double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

}  // namespace issp

#endif  // ISSP_CLOCK_H_
