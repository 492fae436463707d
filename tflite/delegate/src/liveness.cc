#include "liveness.h"

#include <cstddef>

namespace issp {

std::vector<Life> lives_of(const Network& network) {
  std::vector<Life> lives(network.values.size());
  for (int i = 0; i < int(network.operations.size()); ++i) {
    const Operation& of = network.operations[i];
    if (of.output >= 0) lives[of.output] = {i, i};
    visit_operands(of, [&](int value, const Post*) { lives[value].last = i; });
  }
  return lives;
}

bool uses(const Operation& of, int value) {
  bool found = false;
  visit_operands(of, [&](int operand, const Post*) {
    found = found || operand == value;
  });
  return found;
}

std::vector<std::vector<bool>> used_channels(const Network& network) {
  std::vector<std::vector<bool>> used;
  for (const Value& value : network.values) {
    used.emplace_back(value.channels, false);
  }
  for (size_t i = network.operations.size(); i-- > 0;) {
    const Operation& of = network.operations[i];
    if (of.kind == Operation::kInput) continue;
    if (of.kind != Operation::kLinear) {
      // All are computed at once.
      for (int value :
           {of.input, of.attention.keys, of.attention.values}) {
        if (value >= 0) used[value].assign(used[value].size(), true);
      }
      if (of.output >= 0) {
        used[of.output].assign(used[of.output].size(), true);
      }
    }
    if (!of.has_tiles()) continue;
    const std::vector<bool>& made = used[of.output];
    for (const Nonzero& weight : of.weights) {
      if (made[channel_of(of, weight.output)]) {
        used[of.input][weight.channel] = true;
      }
    }
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      for (int o = 0; o < int(of.bias.size()); ++o) {
        const int channel = channel_of(of, o);
        if (!made[channel]) continue;
        const int to = post.shuffled ? channel : o;
        used[post.value][post.channel_of_other(to)] = true;
      }
    }
  }
  return used;
}

}  // namespace issp
