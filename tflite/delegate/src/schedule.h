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
    // What threads do for each other.
    kTell,  // First rows of operations are made: the thread before takes them.
    kWait,  // Until the next thread has told that.
    kMeet,  // All of them wait for each other.
  };
  Step(Kind kind, int operation, int value)
      : kind(kind), operation(operation), value(value) {}

  Kind kind;
  int operation;  // -1 for what is not `kCompute`.
  int value;      // Of what is not `kCompute`, or -1.
  int rows = 0;   // Of a band, before DEPTH_TO_SPACE. Or operations.
  Counter begin;  // The first of them.
  // Places in the arena.
  Counter input;
  Counter output;
  Counter add;
  std::vector<Counter> others;  // By post; unused where there is no image.
};

// Steps that are repeated.
struct Loop {
  int begin;
  int end;
  int turns;
};

// Of a thread.
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
