#include "alike.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <tuple>

#include "kernels.h"
#include "sort.h"

namespace issp {

std::vector<int> take_alike(const Operation& of, std::vector<int>* outputs,
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
    // In the order of the channels in memory.
    sort(&found);
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

}  // namespace issp
