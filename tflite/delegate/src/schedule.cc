#include "schedule.h"

#include <algorithm>
#include <set>
#include <utility>

#include "bands.h"
#include "loops.h"

namespace issp {
namespace {

// Writes the steps of groups, one after the other.
class Writer {
 public:
  Writer(const Network& network, const Layout& layout, const Places& places,
         const std::vector<std::vector<Program>>& programs)
      : network_(network),
        layout_(layout),
        places_(places),
        programs_(programs) {
    for (const Image& image : layout.images) origins_.push_back(-image.top);
  }

  void write(Bands* bands, int rows, Loops* loops) {
    bands->run(
        rows,
        [&](int operation, int begin, int end) {
          make_room(*bands, operation, begin, end);
          compute(*bands, operation, begin, end);
        },
        [&] {
          loops->add(std::move(band_));
          band_.clear();
        });
  }

 private:
  // Where a row of a value begins in the arena.
  int64_t place(int value, int row) const {
    const Image& image = layout_.images[value];
    return int64_t(places_.images[value].offset) +
           int64_t(row - origins_[value]) * int64_t(image.row) +
           int64_t(image.left * layout_.format.vector());
  }

  // Moves what is still needed of an image to the front, if there is no room
  // behind it, and zeroes what is above and below it.
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
    step.output.first = place(value, begin);
    band_.push_back(step);
  }

  void slide(const Bands& bands, int value, int made) {
    // Strides may skip some that are not made yet.
    const int first = std::min(bands.first_needed(value), made);
    Step step(Step::kSlide, -1, value);
    step.begin.first = first;
    step.rows = made - first;
    step.input.first = place(value, first);
    origins_[value] = first;
    step.output.first = place(value, first);
    if (step.rows > 0) band_.push_back(step);
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
    if (of.output >= 0 && network_.values[of.output].repeats) {
      Step repeat(Step::kRepeat, -1, of.output);
      repeat.begin.first = made;
      repeat.rows = bands.made(operation, end) - made;
      repeat.output = step.output;
      band_.push_back(repeat);
    }
  }

  int64_t other(const Operation& of, const Post& post, int begin) const {
    if (layout_.is_pixel_of(of, post)) return place(post.value, 0);
    return place(post.value, post.shuffled ? begin * of.block : begin);
  }

  const Network& network_;
  const Layout& layout_;
  const Places& places_;
  const std::vector<std::vector<Program>>& programs_;
  std::vector<int> origins_;  // The first row in memory, by value.
  std::vector<Step> band_;
};

// Whether a thread has the same rows of each image in all turns of a loop, and
// nothing is moved.
bool keeps_rows(const std::vector<Step>& steps, const Loop& loop) {
  std::set<int> operations;
  for (int i = loop.begin; i < loop.end; ++i) {
    if (steps[i].kind == Step::kSlide) return false;
    const bool computes = steps[i].kind == Step::kCompute;
    if (computes && !operations.insert(steps[i].operation).second) return false;
  }
  return true;
}

}  // namespace

Schedule schedule(const Network& network, const Layout& layout,
                  const std::vector<Life>& lives,
                  const std::vector<Group>& groups, const Places& places,
                  const std::vector<std::vector<Program>>& programs) {
  Schedule made;
  Writer writer(network, layout, places, programs);
  for (const Group& group : groups) {
    Bands bands(network, layout, lives, group.begin, group.end);
    Loops loops(&made);
    const size_t first = made.loops.size();
    writer.write(&bands, group.rows, &loops);
    loops.finish();
    for (size_t i = first; i < made.loops.size(); ++i) {
      Loop& loop = made.loops[i];
      loop.by_rows = group.by_rows && keeps_rows(made.steps, loop);
    }
  }
  return made;
}

}  // namespace issp
