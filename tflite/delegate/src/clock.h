// Time, to measure with.

#ifndef ISSP_CLOCK_H_
#define ISSP_CLOCK_H_

#include <time.h>

#include <chrono>

namespace issp {

// Seconds since some time.
inline double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

// Seconds that this thread has computed, whatever else the machine does.
inline double thread_now() {
#ifdef __wasm__
  return now();  // It has no clock of a thread.
#else
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
#endif
}

}  // namespace issp

#endif  // ISSP_CLOCK_H_
