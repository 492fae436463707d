// The list of steps with all addresses: the last pass of a plan. It is made
// once for each size of images.

#ifndef ISSP_SCHEDULE_H_
#define ISSP_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "groups.h"
#include "layout.h"
#include "liveness.h"
#include "memory.h"
#include "network.h"
#include "program.h"

namespace issp {

// A number that grows with each turn of a loop.
struct Counter {
  int64_t first = 0;
  int64_t step = 0;

  int64_t at(int turn) const { return first + turn * step; }
};

struct Step {
  enum Kind {
    kCompute,
    kZero,
    kMove,    // Rows to another place.
    kRepeat,
    // Synchronization of threads.
    kTell,  // The first rows of operations are done.
    kWait,  // Wait for `kTell` of the next thread.
    kMeet,  // All threads wait for each other.
  };
  Step(Kind kind, int operation, int value)
      : kind(kind), operation(operation), value(value) {}

  Kind kind;
  int operation;  // -1 unless `kCompute`.
  int value;      // -1 if `kCompute`, or if there is none.
  int rows = 0;   // Rows before DEPTH_TO_SPACE, or operations.
  Counter begin;  // The first one.
  // Places in the arena.
  Counter input;
  Counter output;
  Counter add;
  std::vector<Counter> others;  // By post; unused without an image.
};

// Steps that are repeated.
struct Loop {
  int begin;
  int end;
  int turns;
};

// The steps of a thread.
struct Schedule {
  std::vector<Step> steps;
  std::vector<Loop> loops;
};

std::vector<Schedule> schedule(
    const Network& network, const Layout& layout,
    const std::vector<Life>& lives, const std::vector<Group>& groups,
    const Places& places, const std::vector<std::vector<Program>>& programs,
    int threads);

}  // namespace issp

#endif  // ISSP_SCHEDULE_H_
