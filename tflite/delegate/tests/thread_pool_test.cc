// Threads. Run these tests with a thread sanitizer.

#include "thread_pool.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "forking.h"
#include "testing.h"

namespace issp::testing {
namespace {

struct Work {
  ThreadPool* pool;
  std::vector<int> cells;  // One per thread. Others read it after a wait.
  int rounds;
  std::vector<long> sums;
};

void work(void* argument, int thread) {
  auto* of = static_cast<Work*>(argument);
  const int threads = of->pool->size();
  for (int round = 0; round < of->rounds; ++round) {
    of->cells[thread] = round + thread;
    of->pool->wait();
    const int next = of->cells[(thread + 1) % threads];
    of->pool->wait();
    of->sums[thread] += next;
  }
}

TEST(threads_see_what_others_wrote_before_a_wait) {
  for (int threads : {1, 2, 3, 5, 8}) {
    ThreadPool pool(threads);
    EXPECT(pool.size() == threads);
    Work of{&pool, std::vector<int>(threads), 20, std::vector<long>(threads)};
    const int runs = cases(60);
    for (int run = 0; run < runs; ++run) pool.run(work, &of);
    for (int t = 0; t < threads; ++t) {
      const long expected = 20 * 19 / 2 + 20 * ((t + 1) % threads);
      EXPECT(of.sums[t] == runs * expected) << t << " of " << threads;
    }
  }
}

TEST(each_run_calls_all_threads_once) {
  ThreadPool pool(4);
  std::vector<int> calls(4);
  const int runs = cases(2000);
  for (int run = 0; run < runs; ++run) {
    pool.run([](void* all, int thread) {
      ++(*static_cast<std::vector<int>*>(all))[thread];
    }, &calls);
  }
  for (int count : calls) EXPECT(count == runs) << count;
}

TEST(threads_that_sleep_are_woken) {
  ThreadPool pool(3);
  std::vector<int> calls(3);
  for (int run = 0; run < 3; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    pool.run([](void* all, int thread) {
      ++(*static_cast<std::vector<int>*>(all))[thread];
    }, &calls);
  }
  EXPECT(std::accumulate(calls.begin(), calls.end(), 0) == 9);
}

TEST(a_number_that_is_raised_ends_the_wait_for_it) {
  struct Relay {
    ThreadPool* pool;
    std::vector<std::atomic<int>> raised;
    std::vector<int> cells;
    int rounds;
    int sleeper;  // A thread that lets the others sleep, or -1.
  };
  for (int sleeper : {-1, 0, 3}) {
    ThreadPool pool(4);
    Relay of{&pool, std::vector<std::atomic<int>>(5), std::vector<int>(5),
             sleeper < 0 ? cases(300) : 2, sleeper};
    // Each thread adds to the number of the next one.
    pool.run([](void* argument, int thread) {
      auto* relay = static_cast<Relay*>(argument);
      for (int round = 1; round <= relay->rounds; ++round) {
        if (thread == relay->sleeper) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        if (thread < 3) {
          relay->pool->wait_for(relay->raised[thread + 1], 2 * round);
        }
        relay->cells[thread] = relay->cells[thread + 1] + 1;
        relay->pool->raise(&relay->raised[thread], 2);
        relay->pool->wait();
      }
    }, &of);
    EXPECT(of.cells[0] == 4) << sleeper;
    EXPECT(of.raised[0] == 2 * of.rounds) << sleeper;
  }
}

TEST(pools_come_and_go) {
  for (int i = 0; i < cases(200); ++i) {
    ThreadPool pool(1 + i % 5);
    if (i % 2) {
      pool.run([](void*, int) {}, nullptr);
    }
  }
}

TEST(two_pools_run_at_the_same_time) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([] {
      ThreadPool pool(3);
      Work of{&pool, std::vector<int>(3), 10, std::vector<long>(3)};
      for (int run = 0; run < cases(50); ++run) pool.run(work, &of);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(one_pool_is_run_by_other_threads_in_turn) {
  ThreadPool pool(3);
  Work of{&pool, std::vector<int>(3), 5, std::vector<long>(3)};
  for (int i = 0; i < 10; ++i) {
    std::thread([&] { pool.run(work, &of); }).join();
  }
}

#ifndef __SANITIZE_THREAD__  // It allows no threads after a fork.

TEST(a_forked_process_has_threads_of_its_own) {
  ThreadPool pool(3);
  const auto run = [&] {
    std::vector<int> calls(3);
    pool.run([](void* all, int thread) {
      ++(*static_cast<std::vector<int>*>(all))[thread];
    }, &calls);
    return std::accumulate(calls.begin(), calls.end(), 0);
  };
  EXPECT(run() == 3);
  EXPECT(returned_by_fork(run) == 3);
  // Also with sleeping threads, and in a fork of a fork.
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT(returned_by_fork([&] {
    return run() + returned_by_fork(run);
  }) == 6);
  EXPECT(run() == 3);
}

TEST(a_forked_process_destroys_what_it_does_not_use) {
  auto pool = std::make_unique<ThreadPool>(3);
  EXPECT(returned_by_fork([&] {
    pool.reset();
    return 7;
  }) == 7);
}

#endif

}  // namespace
}  // namespace issp::testing
