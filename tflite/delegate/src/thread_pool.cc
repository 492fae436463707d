#include "thread_pool.h"

#include <algorithm>

// WebAssembly has one thread.
#ifdef __wasm__

namespace issp {

struct ThreadPool::Crew {};

int usable_cores() { return 1; }

ThreadPool::ThreadPool(int) : threads_(1) {}

ThreadPool::~ThreadPool() = default;

void ThreadPool::run(void (*function)(void*, int), void* argument) {
  function(argument, 0);
}

void ThreadPool::wait() {}

}  // namespace issp

#else

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace issp {
namespace {

// Looks before a thread gives its core away, and before it sleeps.
constexpr int kBeforeYield = 2000;
constexpr int kBeforeSleep = 20000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

int usable_cores() {
#ifdef __linux__
  cpu_set_t cores;
  if (!sched_getaffinity(0, sizeof(cores), &cores)) return CPU_COUNT(&cores);
#endif
  return std::max(int(std::thread::hardware_concurrency()), 1);
}

// The threads of one process, and how they find each other.
struct ThreadPool::Crew {
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

ThreadPool::Crew::Crew(int threads) : threads(threads), process(getpid()) {
  try {
    for (int i = 1; i < threads; ++i) {
      workers.emplace_back([this, i] { work(i); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::Crew::~Crew() { stop(); }

void ThreadPool::Crew::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ends = true;
    runs.fetch_add(1);
  }
  wake.notify_all();
  for (std::thread& worker : workers) worker.join();
}

void ThreadPool::Crew::run(void (*called)(void*, int), void* with) {
  function = called;
  argument = with;
  {
    std::lock_guard<std::mutex> lock(mutex);
    runs.fetch_add(1, std::memory_order_release);
  }
  wake.notify_all();
  called(with, 0);
  wait();
}

void ThreadPool::Crew::work(int thread) {
  uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kBeforeSleep; ++i) {
      if (runs.load(std::memory_order_acquire) != seen) break;
      if (i < kBeforeYield) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return runs.load() != seen; });
      ++seen;
    }
    if (ends) return;
    function(argument, thread);
    wait();
  }
}

void ThreadPool::Crew::wait() {
  const uint32_t round = rounds.load(std::memory_order_relaxed);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived.store(0, std::memory_order_relaxed);
    rounds.store(round + 1, std::memory_order_release);
    return;
  }
  for (int i = 0; rounds.load(std::memory_order_acquire) == round; ++i) {
    if (i < kBeforeYield) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

ThreadPool::ThreadPool(int threads) : threads_(std::max(threads, 1)) {
  if (threads_ > 1) crew_ = std::make_unique<Crew>(threads_);
}

ThreadPool::~ThreadPool() { leave_crew_of_other_process(); }

// A process that was forked has none of the threads that it remembers. They
// can neither be joined nor woken, nor is it known who holds the mutex, so that
// all of it is left where it is.
void ThreadPool::leave_crew_of_other_process() {
  if (crew_ && crew_->process != getpid()) static_cast<void>(crew_.release());
}

void ThreadPool::run(void (*function)(void*, int), void* argument) {
  if (threads_ == 1) {
    function(argument, 0);
    return;
  }
  leave_crew_of_other_process();
  if (!crew_) crew_ = std::make_unique<Crew>(threads_);
  crew_->run(function, argument);
}

void ThreadPool::wait() {
  if (threads_ > 1) crew_->wait();
}

}  // namespace issp

#endif  // __wasm__
