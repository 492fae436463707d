#include "tune.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "clock.h"
#include "share.h"

namespace issp {
namespace {

// Products in the time that threads need to meet after a group, and to wake up:
// about 10 and 100 microseconds.
constexpr double kProductsOfGroup = 200000;
constexpr double kProductsOfWaking = 2000000;
// Rows of a try, at least. A step may be computed several times.
constexpr int kTimedRows = 12;
constexpr int kRepetitions = 5;
// After the second repetition, a tile is dropped if it takes this many times as
// long as the fastest. The first repetition fills the caches.
constexpr double kDropped = 1.2;
// A tile wins over an earlier one of the list if the earlier one takes at least
// this many times as long. So the choice does not depend on chance.
constexpr double kClearly = 1.02;
// A file may declare an image so wide that a try takes gigabytes or minutes.
// Then nothing is timed.
constexpr double kMostNumbers = 1 << 26;
constexpr double kMostProducts = 1e10;
constexpr double kMostSeconds = 2;

using TileShape = std::pair<int, int>;  // Rows and vectors.

// Tiles that suit most operations come first, in case the time is short.
constexpr TileShape kTiles[] = {
    {2, 5}, {1, 10}, {1, 5}, {3, 2}, {3, 5}, {2, 3}, {2, 2}, {4, 5},
    {4, 2}, {4, 1},  {2, 6}, {1, 8}, {1, 4}, {1, 3}, {4, 3}, {3, 3},
    {3, 1}, {1, 2},  {2, 1}, {1, 1}, {2, 4}, {1, 6}, {1, 12}};

class Tuner {
 public:
  Tuner(const Kernels& kernels, const Executor& executor, double end)
      : kernels_(kernels), executor_(executor), end_(end) {}

  // The fastest tile of those that there is time to try. Pixels of the step
  // have this many channels.
  TileShape fastest(const Step& step, int channels, Program* program) const {
    Step part = step;
    part.rows = std::min(step.rows, kTimedRows);
    std::vector<Timed> timed;
    for (const TileShape& tile : kTiles) {
      if (fits(tile, step, *program)) timed.push_back({tile, INFINITY});
    }
    if (timed.empty()) return {1, 1};
    if (is_long(part, channels, *program)) return timed[0].tile;
    double least = INFINITY;
    // Tiles take turns, because other programs may slow down a part of a second.
    for (int i = 0; i < kRepetitions; ++i) {
      for (Timed& of : timed) {
        if (least < INFINITY && now() > end_) break;
        of.seconds = std::min(of.seconds, time(of.tile, part, program));
        least = std::min(least, of.seconds);
      }
      if (i > 0) drop_slower(kDropped * least, &timed);
    }
    drop_slower(kClearly * least, &timed);
    return timed[0].tile;
  }

 private:
  struct Timed {
    TileShape tile;
    double seconds;
  };

  static void drop_slower(double most, std::vector<Timed>* timed) {
    timed->erase(
        std::remove_if(timed->begin(), timed->end(),
                       [&](const Timed& of) { return of.seconds > most; }),
        timed->end());
  }

  bool is_long(const Step& part, int channels, const Program& program) const {
    const double vectors = double(part.rows) * program.strip;
    const double numbers =
        vectors * kernels_.lanes * (double(channels) + program.outputs);
    const double tried = vectors * ceil_div(kTimedRows, part.rows);
    return numbers > kMostNumbers ||
           tried * double(program.products()) > kMostProducts ||
           now() > end_ + kMostSeconds;
  }

  bool fits(const TileShape& tile, const Step& step,
            const Program& program) const {
    const auto [rows, vectors] = tile;
    const int group = program.group;
    const int registers = kernels_.registers - 2 - (group > 1 ? group : 0);
    return has_parts(step.rows, rows) && has_parts(program.strip, vectors) &&
           rows * vectors * group <= registers &&
           program.has_tile(rows, vectors);
  }

  // Whether tiles of this size differ from smaller ones. A step of 4 rows is cut
  // into two tiles of 2 rows, even if tiles may have 3.
  static bool has_parts(int all, int size) {
    return ceil_div(all, ceil_div(all, size)) == size;
  }

  double time(const TileShape& tile, const Step& step, Program* program) const {
    std::tie(program->tile_rows, program->tile_vectors) = tile;
    const double begin = thread_now();
    for (int rows = 0; rows < kTimedRows; rows += step.rows) {
      executor_.compute(step, 0, *program);
    }
    return thread_now() - begin;
  }

  const Kernels& kernels_;
  const Executor& executor_;
  const double end_;
};

// A step of each operation, or null. Steps with as many rows compute most of the
// operation.
std::vector<const Step*> usual_steps(const Network& network,
                                     const Schedule& schedule) {
  std::vector<const Step*> steps(network.operations.size());
  // Rows of an operation: those of all steps with as many rows, and the most.
  std::vector<std::vector<int>> rows_of(network.operations.size());
  std::vector<int> most(network.operations.size(), 0);
  for (const Loop& loop : schedule.loops) {
    for (int i = loop.begin; i < loop.end; ++i) {
      const Step& step = schedule.steps[i];
      if (step.kind != Step::kCompute) continue;
      std::vector<int>& of_size = rows_of[step.operation];
      if (step.rows >= int(of_size.size())) of_size.resize(step.rows + 1);
      int& rows = of_size[step.rows];
      rows += step.rows * loop.turns;
      if (rows <= most[step.operation]) continue;
      most[step.operation] = rows;
      steps[step.operation] = &step;
    }
  }
  return steps;
}

}  // namespace

bool is_worth_threads(const Network& network, const Layout& layout, int groups,
                      const std::vector<std::vector<Program>>& programs) {
  double products = 0;
  for (size_t i = 0; i < programs.size(); ++i) {
    const Operation& of = network.operations[i];
    const double rows = layout.rows_of(of);
    const Attention& attention = of.attention;
    products += rows * attention.pixels * attention.pixels *
                double(attention.heads.size()) *
                (attention.channels + attention.value_channels);
    for (const Program& program : programs[i]) {
      products += rows * double(program.products()) * program.strip *
                  layout.format.lanes;
    }
  }
  return products >= kProductsOfGroup * groups + kProductsOfWaking;
}

void tune(const Network& network, const Layout& layout,
          const Schedule& schedule, const Kernels& kernels,
          const Executor& executor, double seconds,
          std::vector<std::vector<Program>>* programs) {
  const Tuner tuner(kernels, executor, now() + seconds);
  using Key = std::array<int, 11>;
  std::vector<std::pair<Key, TileShape>> known;
  for (const Step* step : usual_steps(network, schedule)) {
    if (!step) continue;
    const Operation& of = network.operations[step->operation];
    for (Program& program : (*programs)[step->operation]) {
      const int density =
          int(4 * std::log2(1 + double(program.products()) /
                                    std::max(program.outputs, 1)));
      const int channels = layout.images[of.input].channels;
      const Key key{density,
                    program.outputs,
                    channels,
                    program.strip,
                    std::min(step->rows, 8),
                    of.stride.width,
                    of.block,
                    program.group,
                    program.int8.is_used,
                    program.adds,
                    int(of.posts.size())};
      auto found = known.begin();
      while (found != known.end() && found->first != key) ++found;
      if (found == known.end()) {
        known.push_back({key, tuner.fastest(*step, channels, &program)});
        found = known.end() - 1;
      }
      std::tie(program.tile_rows, program.tile_vectors) = found->second;
    }
  }
}

}  // namespace issp
