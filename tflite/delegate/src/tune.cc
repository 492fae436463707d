#include "tune.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "clock.h"

namespace issp {
namespace {

// Products in the time that threads need to meet after a group, and to wake up:
// about 10 and 100 microseconds.
constexpr double kProductsOfGroup = 200000;
constexpr double kProductsOfWaking = 2000000;
// Timed rows of a step.
constexpr int kTimedRows = 12;
constexpr int kRepetitions = 3;
// A file may declare an image so wide that a try takes gigabytes or minutes.
// Then nothing is timed.
constexpr double kMostNumbers = 1 << 26;
constexpr double kMostProducts = 1e10;
constexpr double kMostSeconds = 2;

using TileShape = std::pair<int, int>;  // Rows and vectors.

// Tiles that suit most operations come first, in case the time is short.
constexpr TileShape kTiles[] = {
    {2, 5}, {1, 10}, {3, 2}, {3, 5}, {2, 3}, {2, 2}, {1, 5}, {4, 5},
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
    const bool is_timed = !is_long(part, channels, *program);
    TileShape best{1, 1};
    double least = INFINITY;
    for (const TileShape& tile : kTiles) {
      if (least < INFINITY && now() > end_) break;
      if (!fits(tile, step, *program)) continue;
      if (!is_timed) return tile;
      const double seconds = time(tile, part, program);
      if (seconds < least) {
        least = seconds;
        best = tile;
      }
    }
    return best;
  }

 private:
  bool is_long(const Step& part, int channels, const Program& program) const {
    const double vectors = double(part.rows) * program.strip;
    const double numbers =
        vectors * kernels_.lanes * (double(channels) + program.outputs);
    return numbers > kMostNumbers ||
           vectors * double(program.products()) > kMostProducts ||
           now() > end_ + kMostSeconds;
  }

  bool fits(const TileShape& tile, const Step& step,
            const Program& program) const {
    const auto [rows, vectors] = tile;
    const int group = program.group;
    const int registers = kernels_.registers - 2 - (group > 1 ? group : 0);
    return rows <= step.rows && vectors <= program.strip &&
           rows * vectors * group <= registers &&
           program.has_tile(rows, vectors);
  }

  double time(const TileShape& tile, const Step& step, Program* program) const {
    std::tie(program->tile_rows, program->tile_vectors) = tile;
    double best = INFINITY;
    for (int i = 0; i < kRepetitions; ++i) {
      const double begin = thread_now();
      executor_.compute(step, 0, *program);
      best = std::min(best, thread_now() - begin);
    }
    return best;
  }

  const Kernels& kernels_;
  const Executor& executor_;
  const double end_;
};

// The step with the most rows of each operation, or null.
std::vector<const Step*> largest_steps(const Network& network,
                                       const Schedule& schedule) {
  std::vector<const Step*> steps(network.operations.size());
  for (const Step& step : schedule.steps) {
    if (step.kind != Step::kCompute) continue;
    const Step*& largest = steps[step.operation];
    if (!largest || step.rows > largest->rows) largest = &step;
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
  using Key = std::tuple<int, int, int, int, int, int, int, int, bool>;
  std::map<Key, TileShape> known;
  for (const Step* step : largest_steps(network, schedule)) {
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
                    program.int8.is_used};
      const auto found = known.find(key);
      const TileShape tile =
          found != known.end() ? found->second
                               : tuner.fastest(*step, channels, &program);
      known[key] = tile;
      std::tie(program.tile_rows, program.tile_vectors) = tile;
    }
  }
}

}  // namespace issp
