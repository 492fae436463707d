#include "loops.h"

#include <utility>

namespace issp {
namespace {

// The window of bands that is searched for a loop. A loop has at most half as
// many.
constexpr int kWindow = 32;

// Calls `visit` for each pair of counters of two steps, until it returns false.
// Returns whether all calls return true.
template <class A, class B, class Visit>
bool visit_counters(A& a, B& b, const Visit& visit) {
  bool all = visit(a.begin, b.begin) && visit(a.input, b.input) &&
             visit(a.output, b.output) && visit(a.add, b.add);
  for (size_t i = 0; all && i < a.others.size(); ++i) {
    all = visit(a.others[i], b.others[i]);
  }
  return all;
}

bool is_alike(const Step& a, const Step& b) {
  return a.kind == b.kind && a.operation == b.operation &&
         a.value == b.value && a.rows == b.rows &&
         a.others.size() == b.others.size();
}

bool is_alike(const std::vector<Step>& a, const std::vector<Step>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!is_alike(a[i], b[i])) return false;
  }
  return true;
}

// Whether `band` equals a band of a loop in turn `turn`.
bool is_turn(const std::vector<Step>& of, int turn,
             const std::vector<Step>& band) {
  if (!is_alike(of, band)) return false;
  for (size_t i = 0; i < of.size(); ++i) {
    if (!visit_counters(of[i], band[i],
                        [&](const Counter& a, const Counter& b) {
                          return a.at(turn) == b.first;
                        })) {
      return false;
    }
  }
  return true;
}

// Sets the growth of a band's counters. `next` is the band one turn later.
void set_steps(const std::vector<Step>& next, std::vector<Step>* band) {
  for (size_t i = 0; i < next.size(); ++i) {
    visit_counters((*band)[i], next[i], [](Counter& a, const Counter& b) {
      a.step = b.first - a.first;
      return true;
    });
  }
}

}  // namespace

void Loops::add(Band band) {
  if (!loop_.empty()) {
    if (continues(band)) {
      turn_.push_back(std::move(band));
      if (turn_.size() == loop_.size()) {
        ++turns_;
        turn_.clear();
      }
      return;
    }
    write_loop();
  }
  recent_.push_back(std::move(band));
  if (int(recent_.size()) >= kWindow) find_period();
}

void Loops::finish() {
  if (!loop_.empty()) write_loop();
  for (const Band& band : recent_) write(band);
  recent_.clear();
}

bool Loops::continues(const Band& band) const {
  return is_turn(loop_[turn_.size()], turns_, band);
}

// Begins the shortest loop that the last bands of the window repeat.
void Loops::find_period() {
  const int count = int(recent_.size());
  for (int period = 1; period <= kWindow / 2; ++period) {
    const int turns = kWindow / period;
    const int first = count - turns * period;
    std::vector<Band> loop(recent_.begin() + first,
                           recent_.begin() + first + period);
    bool repeats = true;
    for (int i = 0; repeats && i < turns * period; ++i) {
      const Band& band = recent_[first + i];
      repeats = is_alike(loop[i % period], band);
      if (repeats && i / period == 1) set_steps(band, &loop[i % period]);
      repeats = repeats && is_turn(loop[i % period], i / period, band);
    }
    if (!repeats) continue;
    for (int i = 0; i < first; ++i) write(recent_[i]);
    recent_.clear();
    loop_ = std::move(loop);
    turns_ = turns;
    return;
  }
  write(recent_.front());
  recent_.erase(recent_.begin());
}

void Loops::write_loop() {
  const int begin = int(schedule_.steps.size());
  for (Band& band : loop_) {
    schedule_.steps.insert(schedule_.steps.end(), band.begin(), band.end());
  }
  schedule_.loops.push_back({begin, int(schedule_.steps.size()), turns_});
  loop_.clear();
  recent_ = std::move(turn_);
  turn_.clear();
}

void Loops::write(const Band& band) {
  const int begin = int(schedule_.steps.size());
  schedule_.steps.insert(schedule_.steps.end(), band.begin(), band.end());
  schedule_.loops.push_back({begin, int(schedule_.steps.size()), 1});
}

}  // namespace issp
