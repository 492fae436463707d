#include "thread_pool.h"

#include <algorithm>

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

ThreadPool::ThreadPool(int threads) {
  try {
    for (int i = 1; i < threads; ++i) {
      workers_.emplace_back([this, i] { work(i); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ends_ = true;
    runs_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(void (*function)(void*, int), void* argument) {
  if (workers_.empty()) {
    function(argument, 0);
    return;
  }
  function_ = function;
  argument_ = argument;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    runs_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  function(argument, 0);
  wait();
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kBeforeSleep; ++i) {
      if (runs_.load(std::memory_order_acquire) != seen) break;
      if (i < kBeforeYield) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return runs_.load() != seen; });
      ++seen;
    }
    if (ends_) return;
    function_(argument_, thread);
    wait();
  }
}

void ThreadPool::wait() {
  if (workers_.empty()) return;
  const uint32_t round = rounds_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    rounds_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int i = 0; rounds_.load(std::memory_order_acquire) == round; ++i) {
    if (i < kBeforeYield) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace issp
