// Finds loops in steps that come band by band.

#ifndef ISSP_LOOPS_H_
#define ISSP_LOOPS_H_

#include <vector>

#include "schedule.h"

namespace issp {

// Bands are alike, but for those at the borders of an image: what one or a few
// of them do is written down once, with what its addresses grow by.
class Loops {
 public:
  explicit Loops(Schedule* schedule) : schedule_(*schedule) {}

  // Adds the steps of a band.
  void add(std::vector<Step> band);

  // Ends with the bands so far.
  void finish();

 private:
  using Band = std::vector<Step>;

  bool continues(const Band& band) const;
  void find_period();
  void write_loop();
  void write(const Band& band);

  Schedule& schedule_;
  std::vector<Band> recent_;  // Not yet written.
  // The loop that goes on, if it has bands.
  std::vector<Band> loop_;
  int turns_ = 0;
  std::vector<Band> turn_;  // What has come of the next turn.
};

}  // namespace issp

#endif  // ISSP_LOOPS_H_
