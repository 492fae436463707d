#include "memory.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "bands.h"
#include "sort.h"

namespace issp {
namespace {

constexpr uint64_t kLine = 64;

// A block of memory that is needed for some time.
struct Stay {
  Life life;
  uint64_t bytes;
  uint64_t* offset;  // The result.
};

bool meet(const Stay& a, const Stay& b) {
  return a.life.first <= b.life.last && b.life.first <= a.life.last;
}

// The first offset where a block does not overlap the placed blocks.
uint64_t free_offset(const std::vector<Stay>& placed, const Stay& stay) {
  std::vector<std::pair<uint64_t, uint64_t>> taken;
  for (const Stay& other : placed) {
    if (!meet(stay, other)) continue;
    taken.push_back({*other.offset, *other.offset + other.bytes});
  }
  sort(&taken);
  uint64_t offset = 0;
  for (const auto& [begin, end] : taken) {
    if (offset + stay.bytes <= begin) break;
    offset = std::max(offset, end);
  }
  return offset;
}

// Finds all offsets. Returns the total bytes.
uint64_t find_offsets(const std::vector<Stay>& stays) {
  std::vector<size_t> order(stays.size());
  std::iota(order.begin(), order.end(), 0);
  // The largest first.
  sort(&order, [&](size_t a, size_t b) {
    return stays[a].bytes != stays[b].bytes ? stays[a].bytes > stays[b].bytes
                                            : a < b;
  });
  std::vector<Stay> placed;
  uint64_t bytes = 0;
  for (size_t i : order) {
    const Stay& stay = stays[i];
    *stay.offset = free_offset(placed, stay);
    bytes = std::max(bytes, *stay.offset + stay.bytes);
    placed.push_back(stay);
  }
  return bytes;
}

// The memory of a group's threads.
class Rooms {
 public:
  Rooms(const Network& network, const Layout& layout,
        const std::vector<Life>& lives, const Group& group)
      : network_(network), layout_(layout), lives_(lives), group_(group) {
    for (const Slice& slice : group.slices) {
      bands_.emplace_back(network, layout, lives, group.begin, group.end,
                          slice);
      bands_.back().run(group.rows);
    }
  }

  // Finds the rows of images in memory, and the offsets of those that stay in
  // the group. Returns the bytes of a thread.
  uint64_t place_images(std::vector<Place>* images) const {
    std::vector<Stay> stays;
    const Life all{group_.begin, group_.end};
    for (int i = group_.begin; i < group_.end; ++i) {
      const int value = network_.operations[i].output;
      if (value < 0) continue;
      Place& image = (*images)[value];
      const bool stays_here = lives_[value].last < group_.end;
      // Whether each band uses up all rows that it makes.
      const bool passes = is_used_up(value);
      image.rows = rows_of(value, passes, stays_here);
      if (!stays_here) continue;
      stays.push_back({passes ? lives_[value] : all,
                       bytes_of(value, image.rows), &image.offset});
      const uint64_t taken = bytes_of(value, rows_taken(i));
      if (taken > 0) stays.push_back({all, taken, &image.first_rows});
    }
    return find_offsets(stays);
  }

  uint64_t bytes_of(int value, int rows) const {
    return (uint64_t(rows) * layout_.images[value].row + kLine - 1) / kLine *
           kLine;
  }

 private:
  bool is_used_up(int value) const {
    for (const Bands& bands : bands_) {
      if (!bands.passes(value)) return false;
    }
    return true;
  }

  // The rows of an image in memory.
  int rows_of(int value, bool passes, bool stays_here) const {
    const Image& image = layout_.images[value];
    const int all = image.top + image.size.height + image.bottom;
    if (!stays_here) return all;
    int rows = 0;
    for (const Bands& bands : bands_) {
      const int retained = bands.retained(value);
      const int largest = bands.largest(value);
      // An unused image retains no rows, but it is written.
      rows = std::max(rows, passes ? std::max(retained, largest)
                                   : std::min(all, retained + largest));
    }
    return rows;
  }

  // The most rows that a thread uses from the next one.
  int rows_taken(int operation) const {
    int rows = 0;
    for (const Slice& slice : group_.slices) {
      const size_t i = size_t(operation - group_.begin);
      rows = std::max(rows, slice.reach[i] - slice.end[i]);
    }
    return rows * network_.operations[operation].block;
  }

  const Network& network_;
  const Layout& layout_;
  const std::vector<Life>& lives_;
  const Group& group_;
  std::vector<Bands> bands_;  // By thread.
};

}  // namespace

Places allocate(const Network& network, const Layout& layout,
                const std::vector<Life>& lives,
                const std::vector<Group>& groups) {
  std::vector<int> group_of(network.operations.size());
  for (int g = 0; g < int(groups.size()); ++g) {
    for (int i = groups[g].begin; i < groups[g].end; ++i) group_of[i] = g;
  }
  Places places;
  places.images.resize(layout.images.size());
  std::vector<Stay> stays;
  std::vector<uint64_t> rooms(groups.size());
  for (int g = 0; g < int(groups.size()); ++g) {
    const Group& group = groups[g];
    const Rooms threads(network, layout, lives, group);
    const uint64_t room = threads.place_images(&places.images);
    stays.push_back({{g, g}, room * group.slices.size(), &rooms[g]});
    for (int i = group.begin; i < group.end; ++i) {
      const int value = network.operations[i].output;
      if (value < 0) continue;
      Place& image = places.images[value];
      const Life life{g, group_of[lives[value].last]};
      if (life.last == g) {
        image.step = room;
      } else {
        stays.push_back(
            {life, threads.bytes_of(value, image.rows), &image.offset});
      }
    }
  }
  places.bytes = find_offsets(stays);
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const int value = network.operations[i].output;
    if (value < 0 || places.images[value].is_shared()) continue;
    places.images[value].offset += rooms[size_t(group_of[i])];
    places.images[value].first_rows += rooms[size_t(group_of[i])];
  }
  return places;
}

}  // namespace issp
