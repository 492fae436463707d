// How a network is computed for images of one size.
//
// A plan is made in passes. Each pass makes a value from the values before it:
// the arrangement of pixels (`Layout`), which operations are computed together
// (`Group`), where images are in memory (`Places`), weights with addresses
// (`Program`), and the order of the steps (`Schedule`).

#ifndef ISSP_PLAN_H_
#define ISSP_PLAN_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "execute.h"
#include "groups.h"
#include "kernels.h"
#include "layout.h"
#include "memory.h"
#include "network.h"
#include "program.h"
#include "schedule.h"
#include "thread_pool.h"
#include "window_program.h"

namespace issp {

struct Settings {
  const Kernels* kernels;
  size_t cache_bytes = 1 << 20;  // That a band may take.
  double tuning_seconds = 0.1;   // At most, for a plan.
  bool all_threads = false;      // Also where one is faster.
};

// These kernels, or the fastest if they have none for the numbers of a network.
const Kernels& kernels_for(const Network& network, const Kernels& kernels);

class Plan {
 public:
  // Args: `sizes`, of the images of the operations `kInput`, in their order.
  // What computes and where it has its memory must outlive the plan. `error`
  // becomes what forbids it, and the plan must not be run then.
  Plan(const Network& network, const std::vector<Size>& sizes,
       const Settings& settings, ThreadPool* pool, Arena* arena,
       std::string* error);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  Size size(int value) const { return layout_.images[value].size; }
  size_t bytes() const { return size_t(places_.bytes); }
  const ThreadPool& pool() const { return *pool_; }
  int groups() const { return int(groups_.size()); }
  // Of the first thread; loops have theirs once.
  int steps() const { return int(schedules_.front().steps.size()); }

  // How an operation is computed, as members of a JSON object.
  std::string describe(int operation) const;

  // Computes one image. Args: pixels of `kInput` and `kOutput` operations, by
  // their `tensor`, channels last; and where the seconds of each operation are
  // added, those of the first thread, or null.
  void run(const void* const* inputs, void* const* outputs,
           double* seconds = nullptr);

 private:
  // Of how many operations a thread has made the first rows.
  struct alignas(64) Progress {
    std::atomic<int> told{0};
  };

  void run_steps(int thread);
  void execute(const Step& step, int turn, int thread);

  const Network& network_;
  ThreadPool* pool_;
  Arena* arena_;
  int threads_;
  Layout layout_;
  std::vector<Group> groups_;
  Places places_;
  Reservation reservation_;
  std::vector<std::vector<Program>> programs_;  // By operation.
  std::vector<WindowProgram> windows_;  // By operation.
  std::vector<Schedule> schedules_;  // By thread.
  std::vector<Progress> progress_;   // By thread.
  std::unique_ptr<Executor> executor_;
  // Of the image that is computed.
  Ends ends_;
  double* seconds_ = nullptr;
};

}  // namespace issp

#endif  // ISSP_PLAN_H_
