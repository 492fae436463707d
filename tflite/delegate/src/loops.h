// Finds loops in the steps of successive bands.

#ifndef ISSP_LOOPS_H_
#define ISSP_LOOPS_H_

#include <vector>

#include "schedule.h"

namespace issp {

// Except at the borders of an image, bands are alike. So the steps of one or a
// few bands are stored once, with the growth of their addresses.
class Loops {
 public:
  explicit Loops(Schedule* schedule) : schedule_(*schedule) {}

  // Adds the steps of a band.
  void add(std::vector<Step> band);

  // Call this after the last band.
  void finish();

 private:
  using Band = std::vector<Step>;

  bool continues(const Band& band) const;
  void find_period();
  void write_loop();
  void write(const Band& band);

  Schedule& schedule_;
  std::vector<Band> recent_;  // Not yet stored.
  // The current loop, if it has bands.
  std::vector<Band> loop_;
  int turns_ = 0;
  std::vector<Band> turn_;  // The bands of the next turn so far.
};

}  // namespace issp

#endif  // ISSP_LOOPS_H_
