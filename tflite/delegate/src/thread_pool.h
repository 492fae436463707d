// Threads that run the same function, and can wait for each other inside it.

#ifndef ISSP_THREAD_POOL_H_
#define ISSP_THREAD_POOL_H_

#include <atomic>
#include <memory>

namespace issp {

// The number of cores that this process may use, at least 1.
int usable_cores();

class ThreadPool {
 public:
  // `threads` counts the one that calls `run`.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int size() const {
#ifdef __wasm__
    return 1;  // So the compiler leaves out code for several threads.
#else
    return threads_;
#endif
  }

  // Calls `function(argument, thread)` on all threads, and waits for them. If
  // the process was forked since the last call, it first makes new threads.
  void run(void (*function)(void* argument, int thread), void* argument);

  // Waits for all other threads. All threads must call this, inside of `run`.
  void wait();

  // `raise` adds to a number and wakes waiting threads. `wait_for` waits until
  // a number is at least `least`. Call these inside of `run`.
  void raise(std::atomic<int>* number, int by);
  void wait_for(const std::atomic<int>& number, int least);

 private:
  struct Crew;

  void leave_crew_of_other_process();

  const int threads_;
  std::unique_ptr<Crew> crew_;  // None for one thread.
};

}  // namespace issp

#endif  // ISSP_THREAD_POOL_H_
