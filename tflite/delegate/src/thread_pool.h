// Threads that run the same function, and wait for each other inside it.

#ifndef ISSP_THREAD_POOL_H_
#define ISSP_THREAD_POOL_H_

#include <atomic>
#include <memory>

namespace issp {

// The cores that this process may use, at least 1.
int usable_cores();

class ThreadPool {
 public:
  // `threads` counts the one that calls `run`.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int size() const { return threads_; }

  // Calls `function(argument, thread)` on all threads, and waits for them. In
  // a process that was forked since the last call it makes new threads first.
  void run(void (*function)(void* argument, int thread), void* argument);

  // Waits for all other threads; to be called by all of them in `run`.
  void wait();

  // Adds to a number, which wakes who waits for it; and waits until it is at
  // least so much. To be called in `run`.
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
