// A mutex, which does nothing in builds with one thread.

#ifndef ISSP_MUTEX_H_
#define ISSP_MUTEX_H_

#ifdef __wasm__

namespace issp {

struct Mutex {
  void lock() {}
  void unlock() {}
};

struct Lock {
  explicit Lock(Mutex&) {}
};

}  // namespace issp

#else

#include <mutex>

namespace issp {

using Mutex = std::mutex;
using Lock = std::lock_guard<std::mutex>;

}  // namespace issp

#endif

#endif  // ISSP_MUTEX_H_
