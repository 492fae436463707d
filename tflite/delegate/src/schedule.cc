#include "schedule.h"

#include <algorithm>
#include <utility>

#include "bands.h"
#include "loops.h"

namespace issp {
namespace {

// Writes the steps of a thread, group by group.
class Writer {
 public:
  Writer(const Network& network, const Layout& layout,
         const std::vector<Life>& lives, const Places& places,
         const std::vector<std::vector<Program>>& programs, int thread)
      : network_(network),
        layout_(layout),
        lives_(lives),
        places_(places),
        programs_(programs),
        thread_(thread) {
    for (const Image& image : layout.images) origins_.push_back(-image.top);
  }

  void write(const Group& group, Schedule* schedule) {
    const size_t thread = size_t(thread_);
    if (thread >= group.slices.size()) return;
    group_ = &group;
    Loops loops(schedule);
    Bands bands(network_, layout_, lives_, group.begin, group.end,
                group.slices[thread]);
    begin(bands);
    bands.run(
        group.rows,
        [&](int operation, int begin, int end) {
          add_rows(bands, operation, begin, end);
        },
        [&] {
          tell(bands);
          if (band_.empty()) return;
          loops.add(std::move(band_));
          band_.clear();
        });
    loops.finish();
    if (waited_ > told_before_) told_before_ += group.end - group.begin;
  }

  void meet(Schedule* schedule) const {
    const int begin = int(schedule->steps.size());
    schedule->steps.emplace_back(Step::kMeet, -1, -1);
    schedule->loops.push_back({begin, begin + 1, 1});
  }

 private:
  void begin(const Bands& bands) {
    told_ = group_->begin;
    gives_ = false;
    for (int i = group_->begin; i < group_->end; ++i) {
      const int value = network_.operations[i].output;
      if (first_rows(i) > bands.first_row(i)) gives_ = true;
      if (value < 0 || places_.images[value].is_shared()) continue;
      if (bands.first_row(i) > 0) {
        origins_[value] = bands.made(i, bands.first_row(i));
      }
    }
  }

  // The end of the rows that the thread before uses.
  int first_rows(int operation) const {
    if (thread_ == 0 || shares_channels(operation)) return 0;
    const Slice& before = group_->slices[size_t(thread_ - 1)];
    const size_t i = size_t(operation - group_->begin);
    return before.reach[i];
  }

  // Tells the thread before, in the order of operations.
  void tell(const Bands& bands) {
    if (!gives_) return;
    Step step(Step::kTell, -1, -1);
    for (; told_ < group_->end && bands.done(told_) >= first_rows(told_);
         ++told_) {
      ++step.rows;
    }
    if (step.rows > 0) band_.push_back(step);
  }

  // Whether threads share channels instead of rows.
  bool shares_channels(int operation) const {
    return network_.operations[operation].kind == Operation::kMean;
  }

  // Where a row of a value begins in the arena, with its left border.
  int64_t row(int value, int y) const {
    const Place& place = places_.images[value];
    return int64_t(place.offset + uint64_t(thread_) * place.step) +
           int64_t(y - origins_[value]) * int64_t(layout_.images[value].row);
  }

  // Where its pixels begin.
  int64_t place(int value, int y) const {
    return row(value, y) +
           int64_t(layout_.images[value].left * layout_.format.vector());
  }

  // Where a thread stores its first rows for the thread before.
  int64_t first_row(int value, int thread, int rows) const {
    const Place& place = places_.images[value];
    return int64_t(place.first_rows + uint64_t(thread) * place.step) +
           int64_t(rows) * int64_t(layout_.images[value].row);
  }

  // Computes rows, or copies them from the next thread.
  void add_rows(const Bands& bands, int operation, int begin, int end) {
    const int value = network_.operations[operation].output;
    const bool is_own = begin < bands.last_row(operation);
    if (!is_own) wait(operation);
    const bool has_room = value < 0 || places_.images[value].is_shared();
    if (!is_own && has_room) return;
    if (thread_ > 0 && shares_channels(operation)) {
      compute(bands, operation, begin, end);
      return;
    }
    make_room(bands, operation, begin, end);
    if (is_own) {
      compute(bands, operation, begin, end);
    } else {
      take(bands, operation, begin, end);
    }
    repeat(bands, operation, begin, end);
    if (!has_room) give(bands, operation, begin, end);
  }

  void wait(int operation) {
    const int told = told_before_ + operation - group_->begin + 1;
    if (told <= waited_) return;
    Step step(Step::kWait, -1, -1);
    step.rows = waited_ = told;
    band_.push_back(step);
  }

  void take(const Bands& bands, int operation, int begin, int end) {
    const int value = network_.operations[operation].output;
    const int made = bands.made(operation, begin);
    const int first = bands.made(operation, bands.last_row(operation));
    move(value, bands.made(operation, end) - made,
         first_row(value, thread_ + 1, made - first), row(value, made));
  }

  // Keeps the first rows for the thread before.
  void give(const Bands& bands, int operation, int begin, int end) {
    const int value = network_.operations[operation].output;
    const int made = bands.made(operation, begin);
    const int first = bands.made(operation, bands.first_row(operation));
    end = std::min(end, first_rows(operation));
    if (end <= begin) return;
    move(value, bands.made(operation, end) - made, row(value, made),
         first_row(value, thread_, made - first));
  }

  void move(int value, int rows, int64_t from, int64_t to) {
    if (rows == 0) return;
    Step step(Step::kMove, -1, value);
    step.rows = rows;
    step.input.first = from;
    step.output.first = to;
    band_.push_back(step);
  }

  // If an image has no room for new rows, moves its needed rows to the front.
  // Also zeroes the margins above and below the image.
  void make_room(const Bands& bands, int operation, int begin, int end) {
    const int value = network_.operations[operation].output;
    if (value < 0) return;
    const Image& image = layout_.images[value];
    const bool repeats = network_.values[value].repeats;
    if (begin == 0 && !repeats) zero(value, -image.top, 0);
    const int rows = bands.end_of_rows(operation, end) - origins_[value];
    if (rows > places_.images[value].rows) {
      slide(bands, value, bands.made(operation, begin));
    }
    const int height = image.size.height;
    if (bands.made(operation, end) == height && !repeats) {
      zero(value, height, height + image.bottom);
    }
  }

  void zero(int value, int begin, int end) {
    if (begin == end) return;
    Step step(Step::kZero, -1, value);
    step.begin.first = begin;
    step.rows = end - begin;
    step.output.first = row(value, begin);
    band_.push_back(step);
  }

  void slide(const Bands& bands, int value, int made) {
    // With strides, the next needed row may not be computed yet.
    const int first = std::min(bands.first_needed(value), made);
    const int64_t from = row(value, first);
    origins_[value] = first;
    move(value, made - first, from, row(value, first));
  }

  void compute(const Bands& bands, int operation, int begin, int end) {
    const Operation& of = network_.operations[operation];
    const int made = bands.made(operation, begin);
    Step step(Step::kCompute, operation, -1);
    step.begin.first = begin;
    step.rows = end - begin;
    if (of.input >= 0) {
      step.input.first =
          of.kind == Operation::kArrange
              ? place(of.input, 0)
              : place(of.input, bands.first_read(operation, begin));
    }
    if (of.kind == Operation::kAttention) {
      for (int value : {of.attention.keys, of.attention.values}) {
        step.others.push_back({place(value, begin), 0});
      }
    }
    if (of.output >= 0) step.output.first = place(of.output, made);
    if (!programs_[operation].empty()) {
      const Program& program = programs_[operation].front();
      if (program.adds) step.add.first = other(of, of.posts[0], begin);
      for (int i : program.other_posts) {
        step.others.push_back({i < 0 ? 0 : other(of, of.posts[i], begin), 0});
      }
    }
    band_.push_back(step);
  }

  void repeat(const Bands& bands, int operation, int begin, int end) {
    const int value = network_.operations[operation].output;
    if (value < 0 || !network_.values[value].repeats) return;
    const int made = bands.made(operation, begin);
    Step step(Step::kRepeat, -1, value);
    step.begin.first = made;
    step.rows = bands.made(operation, end) - made;
    step.output.first = place(value, made);
    band_.push_back(step);
  }

  int64_t other(const Operation& of, const Post& post, int begin) const {
    if (layout_.is_pixel_of(of, post)) return place(post.value, 0);
    return place(post.value, post.shuffled ? begin * of.block : begin);
  }

  const Network& network_;
  const Layout& layout_;
  const std::vector<Life>& lives_;
  const Places& places_;
  const std::vector<std::vector<Program>>& programs_;
  const int thread_;
  const Group* group_ = nullptr;
  // Whether the thread before uses any rows, and the first operation that it is
  // not told of yet.
  bool gives_ = false;
  int told_ = 0;
  // The number of operations that the next thread told in earlier groups, and
  // the number that this thread has waited for in total.
  int told_before_ = 0;
  int waited_ = 0;
  std::vector<int> origins_;  // The first row in memory, by value.
  std::vector<Step> band_;
};

}  // namespace

std::vector<Schedule> schedule(
    const Network& network, const Layout& layout,
    const std::vector<Life>& lives, const std::vector<Group>& groups,
    const Places& places, const std::vector<std::vector<Program>>& programs,
    int threads) {
  std::vector<Schedule> made(static_cast<size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) {
    Schedule& of = made[size_t(thread)];
    Writer writer(network, layout, lives, places, programs, thread);
    for (const Group& group : groups) {
      writer.write(group, &of);
      if (threads > 1) writer.meet(&of);
    }
  }
  return made;
}

}  // namespace issp
