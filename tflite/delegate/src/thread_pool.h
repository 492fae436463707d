// Threads that run the same function, and wait for each other inside it.

#ifndef ISSP_THREAD_POOL_H_
#define ISSP_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
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

  int size() const { return threads_; }

  // Calls `function(argument, thread)` on all threads, and waits for them. In
  // a process that was forked since the last call it makes new threads first.
  void run(void (*function)(void* argument, int thread), void* argument);

  // Waits for all other threads; to be called by all of them in `run`.
  void wait();

 private:
  // The threads of one process, and how they find each other.
  struct Crew {
    explicit Crew(int threads);
    ~Crew();

    void run(void (*function)(void* argument, int thread), void* argument);
    void wait();
    void work(int thread);
    void stop();

    const int threads;
    const long process;
    std::vector<std::thread> workers;
    void (*function)(void*, int) = nullptr;
    void* argument = nullptr;

    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<uint32_t> runs{0};
    std::atomic<bool> ends{false};

    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<uint32_t> rounds{0};
  };

  void leave_crew_of_other_process();

  const int threads_;
  std::unique_ptr<Crew> crew_;  // None for one thread.
};

}  // namespace issp

#endif  // ISSP_THREAD_POOL_H_
