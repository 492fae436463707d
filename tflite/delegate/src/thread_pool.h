// Threads that run the same function, and wait for each other inside it.

#ifndef ISSP_THREAD_POOL_H_
#define ISSP_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace issp {

// The cores that this process may use, at least 1.
int usable_cores();

class ThreadPool {
 public:
  // `threads` counts the one that calls `run`.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls `function(argument, thread)` on all threads, and waits for them.
  void run(void (*function)(void* argument, int thread), void* argument);

  // Waits for all other threads; to be called by all of them in `run`.
  void wait();

 private:
  void work(int thread);
  void stop();

  std::vector<std::thread> workers_;
  void (*function_)(void*, int) = nullptr;
  void* argument_ = nullptr;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint32_t> runs_{0};
  std::atomic<bool> ends_{false};

  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> rounds_{0};
};

}  // namespace issp

#endif  // ISSP_THREAD_POOL_H_
