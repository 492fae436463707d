// Programs in int8.

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "tile_lowering.h"

namespace issp {
namespace {

// Costs of a vector of a tile, in products of groups, as measured with AVX-512
// VNNI. `kSingle` is for a block of only one filter of a group, which waits for
// its load. `kSet` is for the end of a list of a group's blocks. `kAlone` is for
// a block if filters are computed one after the other.
constexpr double kSingle = 1.1;
constexpr double kSet = 0.5;
constexpr double kAlone = 1.25;

class Int8Lowering : public TileLowering {
 public:
  Int8Lowering(const Network& network, const Layout& layout,
               const Kernels& kernels, const Operation& of,
               const Padding& padding, const std::vector<int>& outputs)
      : TileLowering(layout, of, outputs),
        network_(network),
        kernels_(*kernels.int8),
        depth_(network.values[of.output].channels) {
    of_program_.is_used = true;
    program_.blocks = 1;
    const bool converts = of.kind == Operation::kQuantize ||
                          of.kind == Operation::kDequantize;
    if (converts) {
      set_scale();
    } else {
      set_filters();
      set_weights(padding.left);
    }
    set_posts();
    if (!converts) find_sums();
  }

  Program take() { return std::move(program_); }

 private:
  using Place = std::tuple<int, int, int>;  // Row, plane and column.
  using Blocks = std::map<Place, uint32_t>;
  using Group = std::vector<const Blocks*>;

  void find_sums() {
    const Int8End end = end_of_sums();
    for (int rows = 1; rows <= kMostRows; ++rows) {
      for (int vectors = 1; vectors <= kMostVectors; ++vectors) {
        of_program_.sums[rows][vectors] =
            kernels_.find_sums(rows, vectors, program_.group,
                               of_.stride.width != 1, end);
      }
    }
  }

  Int8End end_of_sums() const {
    const Int8Range& made = of_program_.made;
    const bool has_all_bytes =
        made.low + float(made.zero) == 0 && made.high + float(made.zero) == 255;
    const bool is_small = std::all_of(
        of_program_.multipliers.begin(), of_program_.multipliers.end(),
        [](float multiplier) { return multiplier >= 0 && multiplier < 1; });
    if (!has_all_bytes || !is_small) return kBoundedEnd;
    if (program_.adds) return is_safe_addition() ? kAddedEnd : kBoundedEnd;
    return made.zero == 0 ? kSaturatedEnd : kBoundedEnd;
  }

  // Whether the fused addition does not overflow with its zero point.
  bool is_safe_addition() const {
    const Int8Addition& of = of_program_.addition;
    const int64_t a = std::abs(int64_t(of.a));
    const int64_t bytes = 255 * (a + std::abs(int64_t(of.b)));
    const int64_t zero_of_sums = of_program_.range.zero * a;
    const int64_t zero = int64_t(of_program_.made.zero) << of.shift;
    return bytes + std::abs(int64_t(of.bias)) + std::abs(zero_of_sums) + zero <=
           INT32_MAX;
  }

  int as_stored(int zero_point) const { return zero_point + kernels_.offset; }

  Int8Range stored_range(float low, float high, int zero_point) const {
    return range_of(low, high, zero_point, kernels_.offset);
  }

  void set_scale() {
    const bool makes_int8 = of_.kind == Operation::kQuantize;
    const Quantization& numbers =
        network_.values[makes_int8 ? of_.output : of_.input].quantization;
    of_program_.filters = depth_;
    of_program_.scale = {makes_int8 ? 1 / numbers.scale : numbers.scale,
                         stored_range(kLeastInt8, kMostInt8,
                                      numbers.zero_point)};
    // All planes of the input.
    const int planes = makes_int8 ? depth_ : in_.planes;
    for (int p = 0; p < planes; ++p) {
      of_program_.offsets.push_back(int32_t(p * int64_t(in_.channel)));
    }
  }

  // The four channels of each output, before DEPTH_TO_SPACE; -1 for none.
  void set_filters() {
    for (int o : program_.channels) {
      const int place = o / out_.planes;
      for (int i = 0; i < kBlock; ++i) {
        const int channel = o % out_.planes * kBlock + i;
        filters_.push_back(channel < depth_ ? place * depth_ + channel : -1);
      }
    }
    of_program_.filters = int(filters_.size());
  }

  // The blocks of each filter.
  std::vector<Blocks> blocks_of_filters() const {
    std::vector<Blocks> blocks(of_.bias.size());
    for (const Nonzero& weight : of_.weights) {
      const Place place{weight.row, weight.channel / kBlock, weight.column};
      const int bits = 8 * (weight.channel % kBlock);
      blocks[weight.output][place] |= uint32_t(uint8_t(int8_t(weight.value)))
                                      << bits;
    }
    return blocks;
  }

  void set_weights(int left) {
    const std::vector<Blocks> blocks = blocks_of_filters();
    if (of_.stride.width == 1 &&
        cost_at_once(grouped(blocks, kernels_.group)) <= cost_alone(blocks)) {
      program_.group = kernels_.group;
    }
    of_program_.begins.push_back(0);
    for (const Group& group : grouped(blocks, program_.group)) {
      add_group(group, left);
    }
    set_ends_of_sums();
  }

  // The computed filters, in groups of `size`.
  std::vector<Group> grouped(const std::vector<Blocks>& blocks,
                             int size) const {
    static const Blocks kNone;
    std::vector<Group> groups(filters_.size() / size_t(size));
    for (size_t i = 0; i < filters_.size(); ++i) {
      const int f = filters_[i];
      groups[i / size_t(size)].push_back(f < 0 ? &kNone : &blocks[size_t(f)]);
    }
    return groups;
  }

  // The set of filters of a group with a block at a place, one bit for each.
  static std::map<Place, int> sets_of(const Group& group) {
    std::map<Place, int> sets;
    for (size_t i = 0; i < group.size(); ++i) {
      for (const auto& [place, block] : *group[i]) sets[place] |= 1 << i;
    }
    return sets;
  }

  static double cost_at_once(const std::vector<Group>& groups) {
    double cost = 0;
    for (const Group& group : groups) {
      std::set<int> found;
      for (const auto& [place, set] : sets_of(group)) {
        const bool is_single = (set & (set - 1)) == 0;
        cost += is_single ? kSingle : double(std::bitset<kBlock>(set).count());
        found.insert(set);
      }
      cost += double(found.size()) * kSet;
    }
    return cost;
  }

  static double cost_alone(const std::vector<Blocks>& blocks) {
    double cost = 0;
    for (const Blocks& of : blocks) cost += double(of.size()) * kAlone;
    return cost;
  }

  // Lists the blocks of a group: by set of filters, the largest number first.
  void add_group(const Group& group, int left) {
    const std::map<Place, int> sets = sets_of(group);
    for (int set = (1 << group.size()) - 1; set > 0; --set) {
      for (const auto& [place, of_place] : sets) {
        if (of_place != set) continue;
        const auto& [row, plane, column] = place;
        of_program_.offsets.push_back(
            int32_t(offset_of(row, column, plane, left)));
        for (size_t i = 0; i < group.size(); ++i) {
          if (set >> i & 1) {
            of_program_.weights.push_back(int32_t(group[i]->at(place)));
          }
        }
      }
      of_program_.begins.push_back(uint32_t(of_program_.offsets.size()));
    }
  }

  // Sets the biases and the multipliers of sums.
  void set_ends_of_sums() {
    const Quantization& in = network_.values[of_.input].quantization;
    std::vector<int64_t> sums(of_.bias.size());
    for (const Nonzero& weight : of_.weights) {
      sums[weight.output] += int64_t(weight.value);
    }
    for (int f : filters_) {
      // Sums use stored numbers, and they wrap like those of the runtime.
      const int64_t bias =
          f < 0 ? 0
                : of_.int8.bias[f] - as_stored(in.zero_point) * sums[f];
      of_program_.bias.push_back(int32_t(uint32_t(bias)));
      of_program_.multipliers.push_back(f < 0 ? 0 : of_.int8.multipliers[f]);
    }
    of_program_.range =
        stored_range(of_.int8.low, of_.int8.high, of_.int8.zero_point);
    of_program_.made = of_program_.range;
  }

  // If there are sums, the first addition is fused with them.
  void set_posts() {
    size_t next = 0;
    if (of_.kind == Operation::kLinear && layout_.begins_with_image(of_)) {
      const Post& post = of_.posts[next++];
      const Image& add = layout_.images[post.value];
      program_.adds = true;
      program_.add_row = row_of(add, post);
      program_.add_vector = vector_of(post);
      set_other(post, &program_.add_offsets, &of_program_.add_bits);
      of_program_.addition = addition_of(post);
      of_program_.made =
          stored_range(post.low, post.high, post.made_zero_point);
    }
    for (; next < of_.posts.size(); ++next) add_post(int(next));
  }

  // Converts an addition for stored numbers.
  Int8Addition addition_of(const Post& post) const {
    Int8Addition of = post.addition;
    of.bias -= kernels_.offset * (of.a + of.b);
    return of;
  }

  // The places of another image's channels, by filter.
  void set_other(const Post& post, std::vector<int32_t>* offsets,
                 std::vector<uint8_t>* bits) const {
    const Image& other = layout_.images[post.value];
    const bool is_pixel = layout_.is_pixel_of(of_, post);
    for (int f : filters_) {
      const int place = f < 0 || !post.shuffled || is_pixel ? 0 : f / depth_;
      const int channel =
          f < 0 ? 0
                : post.channel_of_other(post.shuffled ? f % depth_ : f);
      offsets->push_back(offset_in(
          other, place * other.planes + channel / kBlock, other.planes,
          post.shuffled && !is_pixel));
      bits->push_back(uint8_t(8 * (channel % kBlock)));
    }
  }

  void add_post(int number) {
    const Post& post = of_.posts[number];
    Int8Post lowered{};
    lowered.kind = post.kind;
    lowered.addition = addition_of(post);
    lowered.range = stored_range(post.low, post.high, post.made_zero_point);
    lowered.scale = post.factor;
    lowered.zero = as_stored(post.zero_point);
    lowered.other_zero = as_stored(post.other_zero_point);
    lowered.a = by_filter(post, post.a, &program_.post_numbers);
    lowered.b = by_filter(post, post.b, &program_.post_numbers);
    lowered.biases = by_filter(post, post.biases, &of_program_.integers);
    if (post.kind == kAffine) {
      for (int32_t& bias : of_program_.integers.back()) {
        bias -= kernels_.offset * post.addition.a;
      }
    }
    of_program_.bytes.push_back(table_of(post));
    lowered.table = of_program_.bytes.back().data();
    program_.other_posts.push_back(post.value < 0 ? -1 : number);
    program_.post_offsets.emplace_back();
    of_program_.bytes.emplace_back();
    if (post.value >= 0) {
      set_other(post, &program_.post_offsets.back(),
                &of_program_.bytes.back());
      if (!layout_.is_pixel_of(of_, post)) {
        lowered.other_row = row_of(layout_.images[post.value], post);
        lowered.other_vector = vector_of(post);
      }
    }
    lowered.other_offsets = program_.post_offsets.back().data();
    lowered.other_bits = of_program_.bytes.back().data();
    of_program_.posts.push_back(lowered);
  }

  template <class Number>
  const Number* by_filter(const Post& post, const std::vector<Number>& all,
                          std::vector<std::vector<Number>>* kept) const {
    std::vector<Number> numbers;
    for (int f : filters_) {
      if (all.empty()) break;
      numbers.push_back(f < 0 ? Number(0)
                              : all[post.shuffled ? f % depth_ : f]);
    }
    kept->push_back(std::move(numbers));
    return kept->back().data();
  }

  // The table for stored bytes.
  std::vector<uint8_t> table_of(const Post& post) const {
    std::vector<uint8_t> table(post.table.size());
    for (int i = 0; i < int(table.size()); ++i) {
      // Indices and entries of the table are numbers + 128.
      const int number = i - 128;
      table[uint8_t(as_stored(number))] =
          uint8_t(as_stored(int(post.table[i]) - 128));
    }
    return table;
  }

  const Network& network_;
  const Int8Kernels& kernels_;
  const int depth_;  // Channels of the output, after DEPTH_TO_SPACE.
  std::vector<int> filters_;
  Int8Program& of_program_ = program_.int8;
};

}  // namespace

Program lower_int8(const Network& network, const Layout& layout,
                   const Kernels& kernels, const Operation& of,
                   const Padding& padding, const std::vector<int>& outputs) {
  return Int8Lowering(network, layout, kernels, of, padding, outputs).take();
}

}  // namespace issp
