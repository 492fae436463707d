// Clocks for measurements.

#ifndef ISSP_CLOCK_H_
#define ISSP_CLOCK_H_

#include <time.h>

#include <chrono>

namespace issp {

// Seconds since an arbitrary time.
inline double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

// CPU seconds of this thread.
inline double thread_now() {
#ifdef __wasm__
  return now();  // WebAssembly has no clock for a thread.
#else
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
#endif
}

}  // namespace issp

#endif  // ISSP_CLOCK_H_
