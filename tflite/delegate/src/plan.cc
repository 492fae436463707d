#include "plan.h"

#include <cstdint>

#include "clock.h"
#include "liveness.h"
#include "tune.h"

namespace issp {

const Kernels& kernels_for(const Network& network, const Kernels& kernels) {
  return network.has_int8() && !kernels.int8 ? *find_kernels(nullptr)
                                             : kernels;
}

Plan::Plan(const Network& network, const std::vector<Size>& sizes,
           const Settings& settings, ThreadPool* pool, Arena* arena,
           std::string* error)
    : network_(network), pool_(pool), arena_(arena), threads_(pool->size()) {
  const Kernels& kernels = kernels_for(network, *settings.kernels);
  const Format format = format_of(kernels);
  *error = lay_out(network, sizes, format, &layout_);
  if (!error->empty()) return;
  const std::vector<Life> lives = lives_of(network);
  programs_ = lower(network, layout_, kernels);
  groups_ = cut(network, layout_, lives, settings.cache_bytes, threads_);
  if (pool->size() > 1 && !settings.all_threads &&
      !is_worth_threads(network, layout_, int(groups_.size()), programs_)) {
    threads_ = 1;
    groups_ = cut(network, layout_, lives, settings.cache_bytes, threads_);
  }
  places_ = allocate(network, layout_, lives, groups_);
  const Lock lock(arena->mutex());
  constexpr uint64_t kMost = PTRDIFF_MAX;
  if (places_.bytes > kMost || !reservation_.make(arena, bytes())) {
    *error = "there is no memory for images of this size";
    return;
  }
  windows_ = lower_windows(network, layout_);
  schedules_ = schedule(network, layout_, lives, groups_, places_, programs_,
                        threads_);
  progress_ = std::vector<Progress>(size_t(threads_));
  executor_ = std::make_unique<Executor>(network, layout_, programs_, windows_,
                                         kernels, *arena, threads_);
  tune(network, layout_, schedules_.front(), kernels, *executor_,
       settings.tuning_seconds, &programs_);
}

void Plan::execute(const Step& step, int turn, int thread) {
  switch (step.kind) {
    case Step::kTell:
      pool_->raise(&progress_[size_t(thread)].told, step.rows);
      break;
    case Step::kWait:
      pool_->wait_for(progress_[size_t(thread) + 1].told, step.rows);
      break;
    case Step::kMeet:
      pool_->wait();
      break;
    default:
      executor_->execute(step, turn, {thread, threads_}, ends_);
  }
}

void Plan::run_steps(int thread) {
  const Schedule& schedule = schedules_[size_t(thread)];
  for (const Loop& loop : schedule.loops) {
    for (int turn = 0; turn < loop.turns; ++turn) {
      for (int i = loop.begin; i < loop.end; ++i) {
        const Step& step = schedule.steps[i];
        const bool is_timed = seconds_ && thread == 0 && step.operation >= 0;
        const double begin = is_timed ? thread_now() : 0;
        execute(step, turn, thread);
        if (is_timed) seconds_[step.operation] += thread_now() - begin;
      }
    }
  }
}

void Plan::run(const void* const* inputs, void* const* outputs,
               double* seconds) {
  const Lock lock(arena_->mutex());
  ends_ = {inputs, outputs};
  seconds_ = seconds;
  for (Progress& of : progress_) of.told = 0;
  if (threads_ == 1) {
    run_steps(0);
    return;
  }
  pool_->run(
      [](void* plan, int thread) {
        static_cast<Plan*>(plan)->run_steps(thread);
      },
      this);
}

std::string Plan::describe(int operation) const {
  const Operation& of = network_.operations[operation];
  const Image& image = layout_.images[of.output >= 0 ? of.output : of.input];
  std::string text = "\"height\": " + std::to_string(image.size.height) +
                     ", \"width\": " + std::to_string(image.size.width) +
                     ", \"channels\": " + std::to_string(image.channels);
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].begin > operation || groups_[g].end <= operation) continue;
    text += ", \"group\": " + std::to_string(g) +
            ", \"band\": " + std::to_string(groups_[g].rows);
  }
  if (!programs_[operation].empty()) {
    const Program& program = programs_[operation].front();
    text += ", \"tile\": [" + std::to_string(program.tile_rows) + ", " +
            std::to_string(program.tile_vectors) +
            "], \"blocks\": " + std::to_string(program.blocks) +
            ", \"outputs_at_once\": " + std::to_string(program.group);
  }
  return text;
}

}  // namespace issp
