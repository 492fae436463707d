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
  size_t cache_bytes = 1 << 20;  // For a band.
  double tuning_seconds = 0.1;   // At most, for a plan.
  bool all_threads = false;      // Even if one is faster.
};

// These kernels, or the fastest ones if these do not support the network.
const Kernels& kernels_for(const Network& network, const Kernels& kernels);

class Plan {
 public:
  // `sizes` are those of the inputs, in the order of the operations `kInput`.
  // The network, kernels, pool and arena must outlive the plan. If there is an
  // error, `error` says so, and the plan must not be run.
  Plan(const Network& network, const std::vector<Size>& sizes,
       const Settings& settings, ThreadPool* pool, Arena* arena,
       std::string* error);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  Size size(int value) const { return layout_.images[value].size; }
  size_t bytes() const { return size_t(places_.bytes); }
  const ThreadPool& pool() const { return *pool_; }
  int groups() const { return int(groups_.size()); }
  // Steps of the first thread. The steps of a loop count once.
  int steps() const { return int(schedules_.front().steps.size()); }

  // Describes how an operation is computed, as members of a JSON object.
  std::string describe(int operation) const;

  // Computes one image. `inputs` and `outputs` have pixels with channels last,
  // by the `tensor` of the operations `kInput` and `kOutput`. If `seconds` is
  // not null, the times of the first thread are added to it, by operation.
  void run(const void* const* inputs, void* const* outputs,
           double* seconds = nullptr);

 private:
  // The number of operations whose first rows a thread has computed.
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
  // Of the current image.
  Ends ends_;
  double* seconds_ = nullptr;
};

}  // namespace issp

#endif  // ISSP_PLAN_H_
