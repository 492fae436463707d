#include "plan.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace issp {
namespace {

constexpr size_t kLine = 64;
// Sums of fewer products than this are not cut into blocks of channels.
constexpr double kProductsOfBlock = 20;
constexpr int kChannelsOfBlock = 8;
// Products of a step that are worth several threads; some microseconds.
constexpr double kProductsOfStep = 50000;
// Which part of the cache a band of a short group may have.
constexpr size_t kShareOfBand = 12;
// How many times larger than others the images of a network may be.
constexpr int64_t kLargestScale = 4096;
// Rows of a band that operations should have, to make tiles of.
constexpr int kLeastBand = 4;
// After so many bands, the others need as much memory.
constexpr int kTypicalBands = 8;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

// The part of 0..count that is the `part`-th of `parts` equal ones.
std::pair<int, int> share(int count, int part, int parts) {
  return {int(int64_t(count) * part / parts),
          int(int64_t(count) * (part + 1) / parts)};
}

struct Ratio {
  int64_t top = 1;
  int64_t bottom = 1;

  Ratio times(int64_t by) const { return reduced(top * by, bottom); }
  Ratio over(int64_t by) const { return reduced(top, bottom * by); }
  bool operator!=(const Ratio& other) const {
    return top != other.top || bottom != other.bottom;
  }

 private:
  static Ratio reduced(int64_t top, int64_t bottom) {
    const int64_t divisor = std::gcd(top, bottom);
    return {top / divisor, bottom / divisor};
  }
};

// The length of what a kernel makes of `in` pixels, or less than 1 if it has
// no place, and the padding before them.
int length(int in, int kernel, int stride, int dilation, bool same, int before,
           int after, int* padding) {
  const int padded = in + before + after;
  const int extent = (kernel - 1) * dilation + 1;
  *padding = before;
  if (!same) return padded < extent ? 0 : (padded - extent) / stride + 1;
  const int out = ceil_div(padded, stride);
  *padding += std::max((out - 1) * stride + extent - padded, 0) / 2;
  return out;
}

// Takes those of `outputs` that have their weights at the same places as some
// others, group after group; none, if they have less than half of all weights.
std::vector<int> groups_of(const Operation& of, std::vector<int>* outputs,
                           int* group) {
  if (of.stride.width != 1) return {};
  using Places = std::vector<std::tuple<int, int, int>>;
  std::vector<Places> places(of.bias.size());
  for (const Nonzero& weight : of.weights) {
    places[weight.output].emplace_back(weight.row, weight.channel,
                                       weight.column);
  }
  std::map<Places, std::vector<int>> alike;
  size_t all = 0;
  for (int o : *outputs) {
    all += places[o].size();
    if (!places[o].empty()) alike[places[o]].push_back(o);
  }
  for (int size : kGroups) {
    std::vector<std::vector<int>> found;
    size_t weights = 0;
    for (const auto& [of_these, members] : alike) {
      for (size_t i = 0; i + size <= members.size(); i += size) {
        found.emplace_back(members.begin() + i, members.begin() + i + size);
        weights += of_these.size() * size;
      }
    }
    if (found.empty() || 2 * weights < all) continue;
    *group = size;
    // In the order of the channels, which is that of the memory.
    std::sort(found.begin(), found.end());
    std::vector<int> grouped;
    for (const auto& members : found) {
      grouped.insert(grouped.end(), members.begin(), members.end());
    }
    const std::set<int> taken(grouped.begin(), grouped.end());
    outputs->erase(
        std::remove_if(outputs->begin(), outputs->end(),
                       [&](int o) { return taken.count(o) > 0; }),
        outputs->end());
    return grouped;
  }
  return {};
}

}  // namespace

// Weights with the addresses of the images they are for.
struct Plan::Program {
  int group = 1;  // Outputs with weights at the same places.
  std::vector<int32_t> offsets;
  std::vector<float> values;
  std::vector<uint32_t> begins;  // By block of channels and group of outputs.
  std::vector<int32_t> channels;  // That it computes.
  std::vector<float> bias;
  std::vector<int32_t> output_offsets;
  std::vector<uint8_t> columns;
  int outputs;
  int blocks;
  int strip;  // Vectors of a row.
  bool adds = false;
  bool clamps = false;
  float low = 0;
  float high = 0;
  std::vector<int32_t> add_offsets;
  size_t add_row = 0;
  size_t add_vector = 0;
  std::vector<TilePost> posts;   // Without addresses.
  std::vector<int> other_posts;  // By post, of which it is; -1 for no image.
  std::vector<std::vector<int32_t>> post_offsets;
  std::vector<std::vector<float>> post_numbers;
  std::vector<std::vector<Border>> borders;  // By column.
  std::vector<const Border*> border_begins;
  std::vector<int> border_counts;
  // By rows and vectors; looked up once, since each tile asks.
  SumsFunction sums[kMostRows + 1][kMostVectors + 1] = {};
  int tile_rows = 2;
  int tile_vectors = 4;
};

struct Plan::Step {
  enum Kind { kCompute, kZero, kSlide, kRepeat };
  Step(Kind kind, int operation) : kind(kind), operation(operation) {}

  Kind kind;
  int operation;
  int value = -1;  // Of what is not `kCompute`.
  int begin = 0;  // Rows of a band, before DEPTH_TO_SPACE.
  int end = 0;
  // Places in the arena.
  int64_t input = 0;
  int64_t output = 0;
  int64_t add = 0;
  std::vector<int64_t> others;  // By post; unused where there is no image.
};

// What is computed band by band, and what memory it takes.
class Plan::Bands {
 public:
  Bands(const Plan& plan, int begin, int end)
      : plan_(plan),
        begin_(begin),
        end_(end),
        done_(end),
        producer_(plan.images_.size(), -1),
        users_(plan.images_.size()),
        retained(plan.images_.size()),
        largest(plan.images_.size()),
        passes(plan.images_.size()) {
    for (int i = begin; i < end; ++i) {
      const Operation& of = plan.network_.operations[i];
      if (of.input >= 0) users_[of.input].push_back(i);
      for (const Post& post : of.posts) {
        if (post.value >= 0) users_[post.value].push_back(i);
      }
      if (of.output < 0) continue;
      producer_[of.output] = i;
      passes[of.output] = plan.images_[of.output].last < end;
    }
  }

  // Goes through the bands, or the first of them; `compute(operation, begin,
  // end)` is called before the rows count as done.
  template <class Compute>
  void run(int rows, const Compute& compute, int most = INT_MAX) {
    const int driver = height(end_ - 1);
    for (int done = 0; done < driver && most > 0; --most) {
      done = std::min(done + rows, driver);
      std::vector<int> need = needed(done, driver);
      for (int i = begin_; i < end_; ++i) {
        if (need[i] <= done_[i]) continue;
        note(i, need[i]);
        compute(i, done_[i], need[i]);
        done_[i] = need[i];
      }
      for (size_t value = 0; value < passes.size(); ++value) {
        const int i = producer_[value];
        if (!passes[value] || done_[i] == 0) continue;
        passes[value] =
            first_needed(int(value)) >= end_of_rows(i, done_[i]);
      }
    }
  }

  // Rows that an operation goes through.
  int height(int operation) const {
    const Operation& of = plan_.network_.operations[operation];
    if (of.kind == Operation::kInput) {
      return plan_.images_[of.output].size.height;
    }
    if (of.kind == Operation::kLinear) {
      return plan_.images_[of.output].size.height / of.block;
    }
    return plan_.images_[of.input].size.height;
  }

  // The first row of a value that is still needed.
  int first_needed(int value) const {
    const Image& image = plan_.images_[value];
    int first = image.size.height + image.bottom;
    for (int i : users_[value]) {
      const Operation& of = plan_.network_.operations[i];
      if (done_[i] >= height(i)) continue;
      if (of.input == value) {
        const int row = of.kind == Operation::kLinear
                            ? done_[i] * of.stride.height -
                                  plan_.paddings_[i].top
                            : done_[i];
        first = std::min(first, row);
      }
      for (const Post& post : of.posts) {
        if (post.value != value) continue;
        const int row = post.shuffled ? done_[i] * of.block : done_[i];
        first = std::min(first, row);
      }
    }
    return std::max(first, -image.top);
  }

  // Rows that are made when `done` are. A mean makes its one at the end.
  int made(int operation, int done) const {
    const Operation& of = plan_.network_.operations[operation];
    if (of.kind == Operation::kMean) return done == height(operation);
    return done * of.block;
  }

  // Rows behind the last that is made when `done` are.
  int end_of_rows(int operation, int done) const {
    const Operation& of = plan_.network_.operations[operation];
    const Image& image = plan_.images_[of.output];
    const int rows = made(operation, done);
    return rows == image.size.height ? rows + image.bottom : rows;
  }

  // Bytes that are in use at once.
  size_t bytes() const {
    size_t kept = 0;
    std::vector<size_t> passing(end_);  // By operation.
    for (size_t value = 0; value < retained.size(); ++value) {
      const Image& image = plan_.images_[value];
      const size_t bytes = retained[value] * image.row;
      if (!passes[value]) {
        kept += bytes;
        continue;
      }
      for (int i = image.first; i <= image.last; ++i) passing[i] += bytes;
    }
    return kept + *std::max_element(passing.begin(), passing.end());
  }

 private:
  std::vector<int> needed(int done, int driver) const {
    std::vector<int> need(end_);
    for (int i = end_ - 1; i >= begin_; --i) {
      const Operation& of = plan_.network_.operations[i];
      const int rows = height(i);
      if (done == driver) {
        need[i] = rows;
      } else if (of.output < 0 || users_[of.output].empty()) {
        need[i] = std::max(
            need[i], int((int64_t(rows) * done + driver - 1) / driver));
      }
      need[i] = std::min(need[i], rows);
      if (need[i] == 0) continue;
      int of_input = need[i];
      if (of.kind == Operation::kLinear) {
        of_input = (need[i] - 1) * of.stride.height +
                   (of.kernel.height - 1) * of.dilation.height -
                   plan_.paddings_[i].top + 1;
      }
      require(of.input, of_input, &need);
      for (const Post& post : of.posts) {
        require(post.value, post.shuffled ? need[i] * of.block : need[i],
                &need);
      }
    }
    return need;
  }

  void require(int value, int rows, std::vector<int>* need) const {
    const int producer = value < 0 ? -1 : producer_[value];
    if (producer < 0) return;
    rows = ceil_div(std::max(rows, 0),
                    plan_.network_.operations[producer].block);
    (*need)[producer] = std::max((*need)[producer], rows);
  }

  void note(int operation, int done) {
    const int value = plan_.network_.operations[operation].output;
    if (value < 0) return;
    const int end = end_of_rows(operation, done);
    const int first = std::min(first_needed(value), end);
    retained[value] = std::max(retained[value], end - first);
    const int before = end_of_rows(operation, done_[operation]);
    largest[value] = std::max(largest[value], end - before);
  }

  const Plan& plan_;
  const int begin_;
  const int end_;
  std::vector<int> done_;
  std::vector<int> producer_;
  std::vector<std::vector<int>> users_;  // Operations, by value.

 public:
  std::vector<int> retained;  // Rows of each value, at most.
  std::vector<int> largest;   // Rows that come at once, at most.
  std::vector<bool> passes;   // Whether each band uses up what it makes.
};

Plan::Plan(const Network& network, const Settings& settings, ThreadPool* pool,
           Arena* arena)
    : network_(network), settings_(settings), pool_(pool), arena_(arena) {}

std::string Plan::conflict(const Network& network,
                           const std::vector<Size>& sizes,
                           const Settings& settings) {
  Plan plan(network, settings, nullptr, nullptr);
  std::string error;
  // Images may be resized to what it can measure.
  if (!plan.measure(sizes, &error)) return "";
  plan.set_strips(&error);
  return error;
}

Plan::Plan(const Network& network, const std::vector<Size>& sizes,
           const Settings& settings, ThreadPool* pool, Arena* arena,
           std::string* error)
    : Plan(network, settings, pool, arena) {
  threads_ = pool->size();
  if (!measure(sizes, error) || !set_strips(error)) return;
  set_margins();
  if (!has_addresses(error)) return;
  set_used();
  set_lives();
  set_groups();
  allocate();
  const std::lock_guard<std::mutex> lock(arena->mutex());
  has_arena_ = arena->add(arena_bytes_);
  if (!has_arena_) {
    *error = "there is no memory for images of this size";
    return;
  }
  programs_.resize(network.operations.size());
  for (size_t i = 0; i < network.operations.size(); ++i) lower(int(i));
  write_steps();
  if (!settings.all_threads) set_threads();
  tune(settings.tuning_seconds);
}

Plan::~Plan() {
  if (!has_arena_) return;
  const std::lock_guard<std::mutex> lock(arena_->mutex());
  arena_->remove(arena_bytes_);
}

bool Plan::measure(const std::vector<Size>& sizes, std::string* error) {
  images_.resize(network_.values.size());
  paddings_.resize(network_.operations.size());
  size_t input = 0;
  for (size_t i = 0; i < network_.operations.size(); ++i) {
    const Operation& of = network_.operations[i];
    if (of.output >= 0) {
      images_[of.output].channels = network_.values[of.output].channels;
    }
    if (of.kind == Operation::kInput) {
      images_[of.output].size = sizes[input++];
    } else if (of.kind == Operation::kMean) {
      images_[of.output].size = {1, 1};
      const size_t channels = images_[of.output].channels;
      sums_.resize(std::max(sums_.size(), channels));
      means_.resize(sums_.size());
    } else if (of.kind == Operation::kLinear) {
      const Size in = images_[of.input].size;
      Padding& padding = paddings_[i];
      const Padding& pad = of.padding;
      Size out;
      out.height =
          length(in.height, of.kernel.height, of.stride.height,
                 of.dilation.height, pad.same, pad.top, pad.bottom,
                 &padding.top);
      out.width = length(in.width, of.kernel.width, of.stride.width,
                         of.dilation.width, pad.same, pad.left, pad.right,
                         &padding.left);
      if (out.height < 1 || out.width < 1) {
        *error = of.name + ": an image of " + std::to_string(in.height) + "x" +
                 std::to_string(in.width) + " pixels is smaller than its "
                 "kernel";
        return false;
      }
      for (const Post& post : of.posts) {
        if (post.value < 0) continue;
        const Size other = images_[post.value].size;
        const int block = post.shuffled ? of.block : 1;
        const Size whole{out.height * block, out.width * block};
        if (other != whole && other != Size{1, 1}) {
          *error = of.name + ": takes images of different sizes";
          return false;
        }
      }
      out = {out.height * of.block, out.width * of.block};
      if (of.expected != Size{} && out != of.expected) {
        *error = of.name + ": makes images of one size only";
        return false;
      }
      images_[of.output].size = out;
    }
  }
  return true;
}

// Whether what is added or multiplied is one pixel, for all of a larger image.
bool Plan::is_pixel_of(const Operation& of, const Post& post) const {
  const int block = post.shuffled ? 1 : of.block;
  return images_[post.value].size == Size{1, 1} &&
         images_[of.output].size != Size{block, block};
}

// Chooses how many vectors a row has: in each part of the network that is
// connected by more than single pixels, as many as its widest image needs.
bool Plan::set_strips(std::string* error) {
  const int count = int(images_.size());
  std::vector<int> part(count, -1);
  std::vector<Ratio> ratio(count);
  // Whether they have, or get, scales that strips can have.
  const auto join = [&](int a, int b, Ratio to) {
    // Value b is `to` times as large as a.
    if (part[b] == part[a]) return !(ratio[b] != to);
    const int old = part[b];
    const Ratio from = ratio[b];
    for (int v = 0; v < count; ++v) {
      if (part[v] != old) continue;
      part[v] = part[a];
      ratio[v] = ratio[v].times(to.top).over(to.bottom);
      ratio[v] = ratio[v].times(from.bottom).over(from.top);
      if (std::max(ratio[v].top, ratio[v].bottom) > kLargestScale) return false;
    }
    return true;
  };
  for (int v = 0; v < count; ++v) part[v] = v;
  for (const Operation& of : network_.operations) {
    if (of.kind != Operation::kLinear) continue;
    const Ratio core = ratio[of.input].over(of.stride.width);
    bool fits = join(of.input, of.output, core.times(of.block));
    for (const Post& post : of.posts) {
      if (post.value < 0 || is_pixel_of(of, post)) continue;
      fits = fits && join(of.input, post.value,
                          ratio[of.input].over(of.stride.width).times(
                              post.shuffled ? of.block : 1));
    }
    if (!fits) {
      *error = of.name + ": takes images of different scales";
      return false;
    }
  }
  const int lanes = settings_.kernels->lanes;
  for (int root = 0; root < count; ++root) {
    int64_t unit = 1;
    for (int v = 0; v < count; ++v) {
      if (part[v] != root) continue;
      unit = std::lcm(unit, ratio[v].bottom);
      if (unit > kLargestScale) {
        *error = "its images have too many scales";
        return false;
      }
    }
    int64_t units = 1;
    for (int v = 0; v < count; ++v) {
      if (part[v] != root) continue;
      const int64_t of_unit = unit * ratio[v].top / ratio[v].bottom * lanes;
      units = std::max(
          units, (images_[v].size.width + of_unit - 1) / of_unit);
    }
    for (int v = 0; v < count; ++v) {
      if (part[v] != root) continue;
      images_[v].strip = int(units * unit * ratio[v].top / ratio[v].bottom);
    }
  }
  return true;
}

// Chooses what is kept beside an image, from what reads it.
void Plan::set_margins() {
  for (size_t i = 0; i < network_.operations.size(); ++i) {
    const Operation& of = network_.operations[i];
    if (of.kind != Operation::kLinear) continue;
    Image& in = images_[of.input];
    const Image& out = images_[of.output];
    const Padding& padding = paddings_[i];
    const int height = out.size.height / of.block;
    const int width = out.size.width / of.block;
    const int reach = (of.kernel.width - 1) * of.dilation.width - padding.left;
    in.left = std::max(in.left, padding.left);
    in.right = std::max(in.right, reach - of.stride.width + 1);
    in.zeros = std::max(
        in.zeros, (width - 1) * of.stride.width + reach + 1 - in.size.width);
    in.top = std::max(in.top, padding.top);
    in.bottom = std::max(
        in.bottom, (height - 1) * of.stride.height +
                       (of.kernel.height - 1) * of.dilation.height -
                       padding.top + 1 - in.size.height);
  }
  const size_t vector =
      size_t(settings_.kernels->lanes) * settings_.kernels->scalar_bytes;
  for (Image& image : images_) {
    size_t vectors = image.left + image.strip + image.right;
    // Channels must not all fall into the same few sets of the cache.
    if (vectors % 8 == 0) ++vectors;
    image.channel = vectors * vector;
    image.row = image.channel * image.channels;
  }
}

// Whether all that a kernel reads or makes from one place is within 2^31 bytes
// of it.
bool Plan::has_addresses(std::string* error) const {
  constexpr size_t kLargest = size_t{1} << 30;
  std::vector<size_t> rows(images_.size(), 1);
  for (const Operation& of : network_.operations) {
    if (of.kind != Operation::kLinear) continue;
    const size_t reach = size_t(of.kernel.height) * of.dilation.height;
    rows[of.input] = std::max(rows[of.input], reach);
    rows[of.output] = std::max(rows[of.output], size_t(of.block));
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      rows[post.value] = std::max(rows[post.value], size_t(of.block));
    }
  }
  for (size_t v = 0; v < images_.size(); ++v) {
    if (images_[v].row <= kLargest / rows[v]) continue;
    *error = "its images are too wide";
    return false;
  }
  return true;
}

// Finds the channels that anything depends on; a sparse kernel may read few.
void Plan::set_used() {
  for (const Value& value : network_.values) {
    used_.emplace_back(value.channels, false);
  }
  for (size_t i = network_.operations.size(); i-- > 0;) {
    const Operation& of = network_.operations[i];
    if (of.kind == Operation::kInput) continue;
    if (of.kind != Operation::kLinear) {
      used_[of.input].assign(used_[of.input].size(), true);
      continue;
    }
    const std::vector<bool>& used = used_[of.output];
    for (const Nonzero& weight : of.weights) {
      if (used[channel_of(of, weight.output)]) {
        used_[of.input][weight.channel] = true;
      }
    }
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      for (int o = 0; o < int(of.bias.size()); ++o) {
        const int channel = channel_of(of, o);
        if (!used[channel]) continue;
        used_[post.value][post.shuffled ? channel : o] = true;
      }
    }
  }
}

// Finds what makes each image, and what is the last to use it.
void Plan::set_lives() {
  for (int i = 0; i < int(network_.operations.size()); ++i) {
    const Operation& of = network_.operations[i];
    if (of.output >= 0) images_[of.output].first = images_[of.output].last = i;
    if (of.input >= 0) images_[of.input].last = i;
    for (const Post& post : of.posts) {
      if (post.value >= 0) images_[post.value].last = i;
    }
  }
}

void Plan::set_groups() {
  const int count = int(network_.operations.size());
  const auto fits = [&](int begin, int end, int rows, size_t budget) {
    Bands bands(*this, begin, end);
    bands.run(rows, [](int, int, int) {}, kTypicalBands);
    return bands.bytes() <= budget;
  };
  const auto must_end = [&](int i, int begin) {
    // What follows a mean needs all of it, and images of one pixel have other
    // rows than those that they come from.
    for (int j = begin; j <= i; ++j) {
      if (network_.operations[j].kind == Operation::kMean) return true;
    }
    if (i + 1 == count) return true;
    const auto is_pixel = [&](int j) {
      const Operation& of = network_.operations[j];
      const int value = of.output >= 0 ? of.output : of.input;
      return images_[value].size == Size{1, 1};
    };
    return is_pixel(i) != is_pixel(i + 1) &&
           network_.operations[i + 1].kind != Operation::kMean;
  };
  for (int begin = 0; begin < count;) {
    int end = begin + 1;
    while (!must_end(end - 1, begin) &&
           fits(begin, end + 1, kLeastBand, settings_.cache_bytes)) {
      ++end;
    }
    Bands bands(*this, begin, end);
    const int height = bands.height(end - 1);
    int rows = kLeastBand;
    // Long groups are worth more than high bands.
    const size_t budget = settings_.cache_bytes / kShareOfBand;
    while (rows < height && fits(begin, end, rows + 2, budget)) rows += 2;
    groups_.push_back({begin, end, std::min(rows, height)});
    begin = end;
  }
  std::vector<int> group_of(count);
  for (int g = 0; g < int(groups_.size()); ++g) {
    for (int i = groups_[g].begin; i < groups_[g].end; ++i) group_of[i] = g;
  }
  for (Image& image : images_) {
    if (image.first < 0) continue;
    image.first_group = group_of[image.first];
    image.last_group = group_of[image.last];
  }
}

// Whether two images are in memory at the same time.
bool Plan::meet(const Image& a, const Image& b) const {
  if (a.first_group > b.last_group || b.first_group > a.last_group) {
    return false;
  }
  return !a.passes || !b.passes || (a.first <= b.last && b.first <= a.last);
}

// Gives each image its place; images that are not in memory at the same time
// may have the same.
void Plan::allocate() {
  for (const Group& group : groups_) {
    Bands bands(*this, group.begin, group.end);
    bands.run(group.rows, [](int, int, int) {});
    for (int i = group.begin; i < group.end; ++i) {
      const int output = network_.operations[i].output;
      if (output < 0) continue;
      Image& image = images_[output];
      const int all = image.top + image.size.height + image.bottom;
      image.capacity = all;
      image.passes = bands.passes[output];
      if (image.passes) {
        // What nobody uses needs no row, and yet is written.
        image.capacity =
            std::max(bands.retained[output], bands.largest[output]);
      } else if (image.first_group == image.last_group) {
        image.capacity =
            std::min(all, bands.retained[output] + bands.largest[output]);
      }
    }
  }
  std::vector<int> order(images_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto bytes = [&](int v) {
    const size_t all = images_[v].capacity * images_[v].row;
    return (all + kLine - 1) / kLine * kLine;
  };
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return bytes(a) > bytes(b); });
  std::vector<int> placed;
  for (int v : order) {
    Image& image = images_[v];
    if (image.first_group < 0) continue;
    std::vector<std::pair<size_t, size_t>> taken;
    for (int other : placed) {
      if (!meet(image, images_[other])) continue;
      const size_t begin = images_[other].offset;
      taken.push_back({begin, begin + bytes(other)});
    }
    std::sort(taken.begin(), taken.end());
    size_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + bytes(v) <= begin) break;
      offset = std::max(offset, end);
    }
    image.offset = offset;
    arena_bytes_ = std::max(arena_bytes_, offset + bytes(v));
    placed.push_back(v);
  }
}

// Where a row of a value begins in the arena, if its first is `origin`.
int64_t Plan::place(int value, int row, int origin) const {
  const Image& image = images_[value];
  const size_t vector =
      size_t(settings_.kernels->lanes) * settings_.kernels->scalar_bytes;
  return int64_t(image.offset) + int64_t(row - origin) * int64_t(image.row) +
         int64_t(image.left * vector);
}

void Plan::write_steps() {
  std::vector<int> origin(images_.size());
  for (size_t v = 0; v < images_.size(); ++v) origin[v] = -images_[v].top;
  for (const Group& group : groups_) {
    Bands bands(*this, group.begin, group.end);
    const auto zero = [&](int value, int begin, int end) {
      if (begin == end) return;
      Step step(Step::kZero, -1);
      step.value = value;
      step.begin = begin;
      step.end = end;
      step.output = place(value, begin, origin[value]);
      steps_.push_back(step);
    };
    bands.run(group.rows, [&](int i, int begin, int end) {
      const Operation& of = network_.operations[i];
      const int output = of.output;
      const int made = bands.made(i, begin), made_end = bands.made(i, end);
      if (output >= 0) {
        const Image& image = images_[output];
        const bool repeats = network_.values[output].repeats;
        if (begin == 0 && !repeats) zero(output, -image.top, 0);
        const int last = bands.end_of_rows(i, end);
        if (last - origin[output] > image.capacity) {
          // Strides may skip some that are not made yet.
          const int first = std::min(bands.first_needed(output), made);
          Step step(Step::kSlide, -1);
          step.value = output;
          step.begin = first;
          step.end = made;
          step.output = place(output, 0, 0);
          step.input = place(output, first, origin[output]);
          origin[output] = first;
          if (made > first) steps_.push_back(step);
        }
        if (made_end == image.size.height && !repeats) {
          zero(output, image.size.height, image.size.height + image.bottom);
        }
      }
      Step step(Step::kCompute, i);
      step.begin = begin;
      step.end = end;
      if (of.input >= 0) {
        const int row = of.kind == Operation::kLinear
                            ? begin * of.stride.height - paddings_[i].top
                            : begin;
        step.input = place(of.input, row, origin[of.input]);
      }
      if (output >= 0) {
        step.output = place(output, made, origin[output]);
      }
      if (of.kind == Operation::kLinear) {
        const Program& program = programs_[i].front();
        const auto other = [&](const Post& post) {
          int row = post.shuffled ? begin * of.block : begin;
          if (is_pixel_of(of, post)) row = 0;
          return place(post.value, row, origin[post.value]);
        };
        if (program.adds) step.add = other(of.posts[0]);
        for (int i : program.other_posts) {
          step.others.push_back(i < 0 ? 0 : other(of.posts[i]));
        }
      }
      steps_.push_back(step);
      if (output >= 0 && network_.values[output].repeats) {
        Step repeat(Step::kRepeat, -1);
        repeat.value = output;
        repeat.begin = made;
        repeat.end = made_end;
        repeat.output = step.output;
        steps_.push_back(repeat);
      }
    });
  }
}

void Plan::lower(int number) {
  const Operation& of = network_.operations[number];
  if (of.kind != Operation::kLinear) return;
  std::vector<int> outputs;
  for (int o = 0; o < int(of.bias.size()); ++o) {
    if (used_[of.output][channel_of(of, o)]) outputs.push_back(o);
  }
  int group = 1;
  const std::vector<int> grouped = groups_of(of, &outputs, &group);
  if (!grouped.empty()) lower(number, group, grouped);
  if (!outputs.empty() || grouped.empty()) lower(number, 1, outputs);
}

void Plan::lower(int number, int group, const std::vector<int>& outputs) {
  const Operation& of = network_.operations[number];
  programs_[number].emplace_back();
  Program& program = programs_[number].back();
  const Image& in = images_[of.input];
  const Image& out = images_[of.output];
  const int vector = settings_.kernels->lanes * settings_.kernels->scalar_bytes;
  const int filters = int(of.bias.size());
  std::vector<int> place_of(filters, -1);
  for (int o : outputs) {
    place_of[o] = int(program.channels.size());
    program.channels.push_back(o);
    program.bias.push_back(of.bias[o]);
  }
  program.group = group;
  program.outputs = int(outputs.size());
  program.strip = out.strip / of.block;
  for (int rows = 1; rows <= kMostRows; ++rows) {
    for (int vectors = 1; vectors <= kMostVectors; ++vectors) {
      program.sums[rows][vectors] = settings_.kernels->find_sums(
          rows, vectors, group, of.stride.width != 1);
    }
  }

  // Sums of many products are cut, so that the channels of a block stay in
  // the first cache; how does not depend on the machine, nor does the result.
  const double products =
      double(of.weights.size()) / std::max(filters, 1);
  program.blocks = std::max(
      1, std::min(int(products / kProductsOfBlock),
                  in.channels / kChannelsOfBlock));
  std::vector<std::vector<const Nonzero*>> lists(
      size_t(program.blocks) * program.outputs);
  for (const Nonzero& weight : of.weights) {
    const int block =
        int(int64_t(weight.channel) * program.blocks / in.channels);
    const int place = place_of[weight.output];
    if (place < 0) continue;
    lists[size_t(block) * program.outputs + place].push_back(&weight);
  }
  const int left = paddings_[number].left;
  program.begins.push_back(0);
  for (size_t i = 0; i < lists.size(); i += group) {
    // Each block has a first begin of its own.
    if (i && i % program.outputs == 0) {
      program.begins.push_back(uint32_t(program.offsets.size()));
    }
    for (size_t k = 0; k < lists[i].size(); ++k) {
      const Nonzero& weight = *lists[i][k];
      const int64_t row = int64_t(weight.row) * of.dilation.height;
      const int64_t column = int64_t(weight.column) * of.dilation.width - left;
      program.offsets.push_back(
          int32_t(row * int64_t(in.row) +
                  weight.channel * int64_t(in.channel) + column * vector));
      for (int j = 0; j < group; ++j) {
        program.values.push_back(lists[i + j][k]->value);
      }
    }
    program.begins.push_back(uint32_t(program.offsets.size()));
  }

  const int depth = filters / (of.block * of.block);
  // Where the values of an image are that has the shape of the output.
  const auto offsets_in = [&](const Image& image, bool shuffled) {
    std::vector<int32_t> offsets;
    for (int o : program.channels) {
      const int place = shuffled ? o / depth : 0;
      const int channel = shuffled ? o % depth : o;
      offsets.push_back(int32_t(int64_t(place / of.block) * image.row +
                                int64_t(channel) * image.channel +
                                int64_t(place % of.block) * vector));
    }
    return offsets;
  };
  program.output_offsets = offsets_in(out, true);
  for (int o : program.channels) {
    program.columns.push_back(uint8_t(o / depth % of.block));
  }

  size_t next = 0;
  if (next < of.posts.size() && of.posts[next].kind == kAdd &&
      !is_pixel_of(of, of.posts[next])) {
    const Post& post = of.posts[next];
    const Image& add = images_[post.value];
    const int block = post.shuffled ? of.block : 1;
    program.adds = true;
    program.add_row = block * add.row;
    program.add_vector = size_t(block) * vector;
    program.add_offsets = offsets_in(add, post.shuffled);
    ++next;
  }
  if (next < of.posts.size() && of.posts[next].kind == kClamp) {
    program.clamps = true;
    program.low = of.posts[next].low;
    program.high = of.posts[next].high;
    ++next;
  }
  const auto by_output = [&](const Post& post, const std::vector<float>& all) {
    std::vector<float> numbers;
    for (int o : program.channels) {
      if (!all.empty()) numbers.push_back(all[post.shuffled ? o % depth : o]);
    }
    program.post_numbers.push_back(std::move(numbers));
    return program.post_numbers.back().data();
  };
  for (; next < of.posts.size(); ++next) {
    const Post& post = of.posts[next];
    TilePost lowered{};
    lowered.kind = post.kind;
    lowered.low = post.low;
    lowered.high = post.high;
    lowered.a = by_output(post, post.a);
    lowered.b = by_output(post, post.b);
    program.other_posts.push_back(post.value < 0 ? -1 : int(next));
    program.post_offsets.emplace_back();
    if (post.value >= 0) {
      const Image& other = images_[post.value];
      program.post_offsets.back() = offsets_in(other, post.shuffled);
      if (!is_pixel_of(of, post)) {
        const int block = post.shuffled ? of.block : 1;
        lowered.other_row = block * other.row;
        lowered.other_vector = size_t(block) * vector;
      } else if (post.shuffled) {
        for (size_t i = 0; i < program.channels.size(); ++i) {
          program.post_offsets.back()[i] =
              int32_t(program.channels[i] % depth * int64_t(other.channel));
        }
      }
      lowered.other_offsets = program.post_offsets.back().data();
    }
    program.posts.push_back(lowered);
  }

  const int lanes = settings_.kernels->lanes;
  for (int column = 0; column < of.block; ++column) {
    std::vector<Border> borders;
    for (int v = 0; v < program.strip; ++v) {
      const int t = v * of.block + column;
      int valid = lanes;
      for (int x = out.size.width; x < out.size.width + out.zeros; ++x) {
        if (x % out.strip == t) valid = std::min(valid, x / out.strip);
      }
      const size_t before = borders.size();
      for (int by = 1; t + by * out.strip < out.strip + out.right; ++by) {
        borders.push_back({v, valid, -by, int64_t(by) * out.strip * vector});
      }
      for (int by = 1; t - by * out.strip >= -out.left; ++by) {
        borders.push_back({v, valid, by, -int64_t(by) * out.strip * vector});
      }
      if (borders.size() == before && valid < lanes) {
        borders.push_back({v, valid, 0, 0});
      }
    }
    program.borders.push_back(std::move(borders));
  }
  for (const auto& borders : program.borders) {
    program.border_begins.push_back(borders.data());
    program.border_counts.push_back(int(borders.size()));
  }
}

void Plan::run_tile(const Step& step, const Program& program, int row,
                    int rows, int first, int vectors) {
  const Operation& of = network_.operations[step.operation];
  const Image& in = images_[of.input];
  const Image& out = images_[of.output];
  const Kernels& kernels = *settings_.kernels;
  const size_t vector = size_t(kernels.lanes) * kernels.scalar_bytes;
  Sums tile{};
  tile.input_row = of.stride.height * in.row;
  tile.input_vector = of.stride.width * vector;
  tile.input =
      at(step.input) + row * tile.input_row + first * tile.input_vector;
  tile.output_row = of.block * out.row;
  tile.output_vector = of.block * vector;
  tile.output =
      at(step.output) + row * tile.output_row + first * tile.output_vector;
  tile.output_offsets = program.output_offsets.data();
  tile.offsets = program.offsets.data();
  tile.values = program.values.data();
  tile.outputs = program.outputs;
  tile.bias = program.bias.data();
  tile.low = program.low;
  tile.high = program.high;
  if (program.adds) {
    tile.add_row = program.add_row;
    tile.add_vector = program.add_vector;
    tile.add_offsets = program.add_offsets.data();
    tile.add =
        at(step.add) + row * program.add_row + first * program.add_vector;
  }
  const SumsFunction sums = program.sums[rows][vectors];
  for (int block = 0; block < program.blocks; ++block) {
    tile.begins = program.begins.data() +
                  block * (program.outputs / program.group + 1);
    tile.continues = block > 0;
    tile.clamps = program.clamps && block + 1 == program.blocks;
    sums(tile);
  }
  for (size_t i = 0; i < program.posts.size(); ++i) {
    TilePost post = program.posts[i];
    if (program.other_posts[i] >= 0) {
      post.other = at(step.others[i]) + row * post.other_row +
                   first * post.other_vector;
    }
    kernels.posts(tile, rows, vectors, &post, 1);
  }
  kernels.borders(tile, rows, first, vectors, program.border_begins.data(),
                  program.border_counts.data(), program.columns.data());
}

void Plan::execute_sums(const Step& step, const Program& program,
                        int thread) {
  const int rows = step.end - step.begin;
  const int down = ceil_div(rows, program.tile_rows);
  const int across = ceil_div(program.strip, program.tile_vectors);
  const auto [begin, end] = share(down * across, thread, threads_);
  for (int tile = begin; tile < end; ++tile) {
    const auto [row, row_end] = share(rows, tile % down, down);
    const auto [first, last] = share(program.strip, tile / down, across);
    run_tile(step, program, row, row_end - row, first, last - first);
  }
}

// Makes what is beyond the border of rows as the border.
void Plan::repeat(const Step& step) {
  const Image& image = images_[step.value];
  const int64_t scalar = settings_.kernels->scalar_bytes;
  const int lanes = settings_.kernels->lanes;
  const auto pixel = [&](char* row, int lane, int t) {
    return row + (int64_t(t) * lanes + lane) * scalar;
  };
  // Writes pixel x, in all places that it has, as pixel `from`.
  const auto copy = [&](char* row, int x, int from) {
    const char* value = pixel(row, from / image.strip, from % image.strip);
    for (int lane = 0; lane < lanes; ++lane) {
      const int t = x - lane * image.strip;
      if (t < -image.left || t >= image.strip + image.right) continue;
      std::memcpy(pixel(row, lane, t), value, scalar);
    }
  };
  for (int y = 0; y < step.end - step.begin; ++y) {
    for (int c = 0; c < image.channels; ++c) {
      char* row = at(step.output) + y * image.row + c * image.channel;
      for (int x = 1; x <= image.left; ++x) copy(row, -x, 0);
      for (int x = 0; x < image.zeros; ++x) {
        copy(row, image.size.width + x, image.size.width - 1);
      }
    }
  }
  char* first = at(step.output) - image.left * int64_t(lanes) * scalar;
  const auto copy_row = [&](int from, int to) {
    std::memcpy(first + (to - step.begin) * int64_t(image.row),
                first + (from - step.begin) * int64_t(image.row), image.row);
  };
  if (step.begin == 0) {
    for (int y = 1; y <= image.top; ++y) copy_row(0, -y);
  }
  if (step.end == image.size.height) {
    for (int y = 0; y < image.bottom; ++y) {
      copy_row(image.size.height - 1, image.size.height + y);
    }
  }
}

// Zeroes rows, or moves them to the front. Each thread has the columns that it
// computes with, which are in its cache.
void Plan::fill(const Step& step, int thread) {
  const Image& image = images_[step.value];
  if (step.kind == Step::kRepeat) {
    if (thread == 0) repeat(step);
    return;
  }
  const int64_t vector =
      settings_.kernels->lanes * settings_.kernels->scalar_bytes;
  auto [first, last] = share(image.strip, thread, threads_);
  if (thread == 0) first -= image.left;
  if (thread + 1 == threads_) last += image.right;
  const size_t bytes = size_t(last - first) * vector;
  for (int y = 0; y < step.end - step.begin; ++y) {
    for (int c = 0; c < image.channels; ++c) {
      const int64_t offset =
          y * int64_t(image.row) + c * int64_t(image.channel) + first * vector;
      if (step.kind == Step::kZero) {
        std::memset(at(step.output + offset), 0, bytes);
      } else {
        std::memcpy(at(step.output + offset), at(step.input + offset), bytes);
      }
    }
  }
}

void Plan::execute(const Step& step, int thread) {
  if (step.kind != Step::kCompute) {
    fill(step, thread);
    return;
  }
  const Operation& of = network_.operations[step.operation];
  if (of.kind == Operation::kLinear) {
    for (const Program& program : programs_[step.operation]) {
      execute_sums(step, program, thread);
    }
    return;
  }
  const bool packs = of.kind == Operation::kInput;
  const Image& image = images_[packs ? of.output : of.input];
  Row row{};
  row.channel = image.channel;
  row.width = image.size.width;
  row.channels = image.channels;
  row.strip = image.strip;
  row.left = image.left;
  row.right = image.right;
  if (of.kind == Operation::kMean) {
    const auto [begin, end] = share(image.channels, thread, threads_);
    row.channels = end - begin;
    double* sums = sums_.data() + begin;
    if (step.begin == 0) std::fill_n(sums, row.channels, 0.);
    for (int y = step.begin; y < step.end; ++y) {
      row.strips = at(step.input) + (y - step.begin) * image.row +
                   begin * image.channel;
      settings_.kernels->add_row(row, sums);
    }
    if (step.end < image.size.height) return;
    const double pixels = double(image.size.height) * image.size.width;
    float* means = means_.data() + begin;
    for (int c = 0; c < row.channels; ++c) means[c] = float(sums[c] / pixels);
    const Image& out = images_[of.output];
    row = {at(step.output) + begin * out.channel, out.channel, means, 1,
           row.channels, out.strip, out.left, out.right};
    settings_.kernels->pack(row);
    return;
  }
  const auto [begin, end] =
      share(step.end - step.begin, thread, threads_);
  for (int y = begin; y < end; ++y) {
    const size_t place = size_t(step.begin + y) * row.width * row.channels;
    if (packs) {
      row.strips = at(step.output) + y * image.row;
      // It is only read.
      row.pixels = const_cast<float*>(inputs_[of.tensor]) + place;
      settings_.kernels->pack(row);
    } else {
      row.strips = at(step.input) + y * image.row;
      row.pixels = outputs_[of.tensor] + place;
      settings_.kernels->unpack(row);
    }
  }
}

void Plan::run_steps(int thread) {
  for (const Step& step : steps_) {
    const double begin = seconds_ ? now() : 0;
    execute(step, thread);
    if (threads_ > 1) pool_->wait();
    if (seconds_ && thread == 0 && step.operation >= 0) {
      seconds_[step.operation] += now() - begin;
    }
  }
}

void Plan::run(const float* const* inputs, float* const* outputs,
               double* seconds) {
  const std::lock_guard<std::mutex> lock(arena_->mutex());
  inputs_ = inputs;
  outputs_ = outputs;
  seconds_ = seconds;
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
  const Image& image = images_[of.output >= 0 ? of.output : of.input];
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

// Uses one thread alone where steps are so short that threads would wait for
// each other longer than they compute.
void Plan::set_threads() {
  double products = 0;
  int computed = 0;
  for (const Step& step : steps_) {
    if (step.kind != Step::kCompute || programs_[step.operation].empty()) {
      continue;
    }
    for (const Program& program : programs_[step.operation]) {
      products += double(program.values.size()) * (step.end - step.begin) *
                  program.strip * settings_.kernels->lanes;
    }
    ++computed;
  }
  if (products < kProductsOfStep * computed) threads_ = 1;
}

double Plan::time_tile(const Step& step, Program* program, int rows,
                       int vectors) {
  program->tile_rows = rows;
  program->tile_vectors = vectors;
  double best = INFINITY;
  for (int i = 0; i < 3; ++i) {
    double slowest = 0;
    for (int thread = 0; thread < threads_; ++thread) {
      const double begin = now();
      execute_sums(step, *program, thread);
      slowest = std::max(slowest, now() - begin);
    }
    best = std::min(best, slowest);
  }
  return best;
}

// The rows and vectors of the tile that takes least, of as many as there is
// time for.
std::pair<int, int> Plan::fastest_tile(const Step& step, Program* program,
                                       double end) {
  Step part = step;
  part.end = std::min(step.end, step.begin + 12);
  const int rows = step.end - step.begin, group = program->group;
  const int most = settings_.kernels->registers - 2 - (group > 1 ? group : 0);
  std::pair<int, int> best{1, 1};
  double least = INFINITY;
  // First what suits most, in case that there is no time.
  for (const auto& [r, v] : std::initializer_list<std::pair<int, int>>{
           {2, 5}, {1, 10}, {3, 2}, {3, 5}, {2, 3}, {2, 2}, {1, 5}, {4, 5},
           {4, 2}, {4, 1},  {2, 6}, {1, 8}, {1, 4}, {1, 3}, {4, 3}, {3, 3},
           {3, 1}, {1, 2},  {2, 1}, {1, 1}, {2, 4}, {1, 6}, {1, 12}}) {
    if (least < INFINITY && now() > end) break;
    if (r > rows || v > program->strip || r * v * group > most) continue;
    if (!program->sums[r][v]) continue;
    const double time = time_tile(part, program, r, v);
    if (time < least) {
      least = time;
      best = {r, v};
    }
  }
  return best;
}

// Chooses the tile of each operation by trying some, as long as there is time;
// those that are alike are tried once.
void Plan::tune(double seconds) {
  const double end = now() + seconds;
  using Key = std::tuple<int, int, int, int, int, int, int, int>;
  std::map<Key, std::pair<int, int>> known;
  std::vector<const Step*> steps(network_.operations.size());
  for (const Step& step : steps_) {
    if (step.kind != Step::kCompute) continue;
    const Step*& largest = steps[step.operation];
    if (!largest || step.end - step.begin > largest->end - largest->begin) {
      largest = &step;
    }
  }
  for (const Step* step : steps) {
    if (!step) continue;
    const Operation& of = network_.operations[step->operation];
    for (Program& program : programs_[step->operation]) {
      const int density =
          int(4 * std::log2(1 + double(program.values.size()) /
                                    std::max(program.outputs, 1)));
      const Key key{density,
                    program.outputs,
                    images_[of.input].channels,
                    program.strip,
                    std::min(step->end - step->begin, 8),
                    of.stride.width,
                    of.block,
                    program.group};
      const auto found = known.find(key);
      const auto tile = found != known.end()
                            ? found->second
                            : fastest_tile(*step, &program, end);
      known[key] = tile;
      std::tie(program.tile_rows, program.tile_vectors) = tile;
    }
  }
}

}  // namespace issp
