// What the delegate asks of threads, where there is one: read before its files.

#ifndef ISSP_ONE_THREAD_H_
#define ISSP_ONE_THREAD_H_

#include <mutex>

namespace std {

class mutex {
 public:
  void lock() {}
  void unlock() {}
};

}  // namespace std

#endif  // ISSP_ONE_THREAD_H_
