#include "memory.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "bands.h"
#include "sort.h"

namespace issp {
namespace {

constexpr uint64_t kLine = 64;

// How an image is kept.
struct Stay {
  Life life;
  int first_group = -1;
  int last_group = -1;
  // Whether each band uses up all rows that it makes.
  bool passes = false;
  bool by_rows = false;  // Whether its group is.
  uint64_t bytes = 0;
};

// Whether two images are in memory at the same time.
bool meet(const Stay& a, const Stay& b) {
  if (a.first_group > b.last_group || b.first_group > a.last_group) {
    return false;
  }
  return !a.passes || !b.passes || a.by_rows ||
         (a.life.first <= b.life.last && b.life.first <= a.life.last);
}

// The rows for which an image needs memory.
int rows_of(const Image& image, const Bands& bands, int value,
            const Stay& stay) {
  const int all = image.top + image.size.height + image.bottom;
  const int retained = bands.retained(value), largest = bands.largest(value);
  // What nobody uses needs no row, and yet is written.
  if (stay.passes) return std::max(retained, largest);
  if (stay.first_group != stay.last_group) return all;
  return std::min(all, retained + largest);
}

// The first offset where an image meets none of those that have a place.
uint64_t free_offset(const std::vector<Stay>& stays, const Places& places,
                   const std::vector<int>& placed, int value) {
  std::vector<std::pair<uint64_t, uint64_t>> taken;
  for (int other : placed) {
    if (!meet(stays[value], stays[other])) continue;
    const uint64_t begin = places.images[other].offset;
    taken.push_back({begin, begin + stays[other].bytes});
  }
  sort(&taken);
  uint64_t offset = 0;
  for (const auto& [begin, end] : taken) {
    if (offset + stays[value].bytes <= begin) break;
    offset = std::max(offset, end);
  }
  return offset;
}

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
  std::vector<Stay> stays(layout.images.size());
  std::vector<int> order;
  for (const Group& group : groups) {
    Bands bands(network, layout, lives, group.begin, group.end);
    bands.run(group.rows);
    for (int i = group.begin; i < group.end; ++i) {
      const int value = network.operations[i].output;
      if (value < 0) continue;
      Stay& stay = stays[value];
      stay.life = lives[value];
      stay.first_group = group_of[stay.life.first];
      stay.last_group = group_of[stay.life.last];
      stay.passes = bands.passes(value);
      stay.by_rows = group.by_rows;
      const Image& image = layout.images[value];
      const int rows = rows_of(image, bands, value, stay);
      places.images[value].rows = rows;
      stay.bytes = (uint64_t(rows) * image.row + kLine - 1) / kLine * kLine;
      order.push_back(value);
    }
  }
  // The largest first.
  sort(&order, [&](int a, int b) {
    return stays[a].bytes != stays[b].bytes ? stays[a].bytes > stays[b].bytes
                                            : a < b;
  });
  std::vector<int> placed;
  for (int value : order) {
    const uint64_t offset = free_offset(stays, places, placed, value);
    places.images[value].offset = offset;
    places.bytes = std::max(places.bytes, offset + stays[value].bytes);
    placed.push_back(value);
  }
  return places;
}

}  // namespace issp
