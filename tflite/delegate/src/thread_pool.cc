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

void ThreadPool::raise(std::atomic<int>*, int) {}

void ThreadPool::wait_for(const std::atomic<int>&, int) {}

}  // namespace issp

#else

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "clock.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace issp {
namespace {

// Seconds for which a thread spins before it sleeps, and checks between two
// readings of the clock.
constexpr double kBeforeSleep = 80e-6;
constexpr int kLooks = 100;

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

// The threads of one process, and their shared state.
struct ThreadPool::Crew {
  explicit Crew(int threads);
  ~Crew();

  void run(void (*function)(void* argument, int thread), void* argument);
  void wait();
  void work(int thread);
  void stop();
  template <class IsDone>
  void sleep_until(const IsDone& is_done);
  void wake_sleepers();

  const int threads;
  const long process;
  std::vector<std::thread> workers;
  void (*function)(void*, int) = nullptr;
  void* argument = nullptr;

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<int> sleepers{0};
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
  ends = true;
  runs.fetch_add(1);
  wake_sleepers();
  for (std::thread& worker : workers) worker.join();
}

// Waits for a change by another thread, which then calls `wake_sleepers`. All
// accesses are sequentially consistent. So either the other thread sees a
// sleeper, or the sleeper sees the change.
template <class IsDone>
void ThreadPool::Crew::sleep_until(const IsDone& is_done) {
  const double begin = now();
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (is_done()) return;
      pause();
    }
  } while (now() - begin < kBeforeSleep);
  std::unique_lock<std::mutex> lock(mutex);
  sleepers.fetch_add(1);
  wake.wait(lock, is_done);
  sleepers.fetch_sub(1);
}

void ThreadPool::Crew::wake_sleepers() {
  if (sleepers.load() == 0) return;
  // Lets a thread that is about to sleep do so first.
  { const std::lock_guard<std::mutex> lock(mutex); }
  wake.notify_all();
}

void ThreadPool::Crew::run(void (*called)(void*, int), void* with) {
  function = called;
  argument = with;
  runs.fetch_add(1);
  wake_sleepers();
  called(with, 0);
  wait();
}

void ThreadPool::Crew::work(int thread) {
  for (uint32_t seen = 0;; ++seen) {
    sleep_until([&] { return runs.load() != seen; });
    if (ends) return;
    function(argument, thread);
    wait();
  }
}

void ThreadPool::Crew::wait() {
  const uint32_t round = rounds.load();
  if (arrived.fetch_add(1) + 1 == threads) {
    arrived.store(0, std::memory_order_relaxed);
    rounds.store(round + 1);
    wake_sleepers();
    return;
  }
  sleep_until([&] { return rounds.load() != round; });
}

ThreadPool::ThreadPool(int threads) : threads_(std::max(threads, 1)) {
  if (threads_ > 1) crew_ = std::make_unique<Crew>(threads_);
}

ThreadPool::~ThreadPool() { leave_crew_of_other_process(); }

// A forked process does not have the threads of its parent. They cannot be
// joined or woken, and any of them may hold the mutex. So the crew is leaked.
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

void ThreadPool::raise(std::atomic<int>* number, int by) {
  number->fetch_add(by);
  if (threads_ > 1) crew_->wake_sleepers();
}

void ThreadPool::wait_for(const std::atomic<int>& number, int least) {
  if (threads_ > 1) {
    crew_->sleep_until([&] { return number.load() >= least; });
  }
}

}  // namespace issp

#endif  // __wasm__
