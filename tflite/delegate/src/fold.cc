#include "fold.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace issp {
namespace {

template <class Number>
bool all_are(const std::vector<Number>& numbers, Number number) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [&](Number of) { return of == number; });
}

// Whether the numbers of the output are numbers of the input.
bool keeps_numbers(const Network& network, const Operation& of) {
  const Value& in = network.values[of.input];
  const Value& out = network.values[of.output];
  if (in.is_int8 != out.is_int8) return false;
  if (!in.is_int8) return all_are(of.bias, 0.f);
  return in.quantization == out.quantization &&
         of.int8.low <= kLeastInt8 && of.int8.high >= kMostInt8 &&
         of.int8.zero_point == in.quantization.zero_point &&
         all_are(of.int8.bias, 0) && all_are(of.int8.multipliers, 1.f);
}

// The copied channel, by channel of the output; empty if `of` does more than
// copy channels.
std::vector<int> copied_channels(const Network& network, const Operation& of) {
  const bool is_copy = of.kind == Operation::kLinear && of.is_pixelwise() &&
                       of.posts.empty() && of.expected == Size{} &&
                       of.weights.size() == of.bias.size() &&
                       keeps_numbers(network, of);
  std::vector<int> channels;
  for (size_t i = 0; is_copy && i < of.weights.size(); ++i) {
    const Nonzero& weight = of.weights[i];
    if (weight.output != int(i) || weight.value != 1) return {};
    channels.push_back(weight.channel);
  }
  return channels;
}

// Whether posts use a value, and nothing else does.
bool is_for_posts(const Network& network, int value) {
  bool posts = false, others = false;
  for (const Operation& of : network.operations) {
    visit_operands(of, [&](int operand, const Post* post) {
      if (operand == value) (post ? posts : others) = true;
    });
    if (others) return false;
  }
  return posts;
}

// Lets the posts of an operation read `from` in place of its copy. Returns
// whether there are such posts.
bool read(int from, int copy, const std::vector<int>& channels,
          Operation* user) {
  bool found = false;
  for (Post& post : user->posts) {
    if (post.value != copy) continue;
    found = true;
    post.value = from;
    if (post.channels.empty()) {
      post.channels = channels;
    } else {
      for (int& channel : post.channels) channel = channels[channel];
    }
  }
  return found;
}

}  // namespace

void fold_copies(Network* network) {
  std::vector<Operation>& all = network->operations;
  for (size_t i = all.size(); i-- > 0;) {
    const Operation& of = all[i];
    const std::vector<int> channels = copied_channels(*network, of);
    if (channels.empty() || !is_for_posts(*network, of.output)) continue;
    bool is_counted = false;
    for (size_t user = i + 1; user < all.size(); ++user) {
      if (!read(of.input, of.output, channels, &all[user])) continue;
      all[user].copies += !is_counted;
      is_counted = true;
    }
    all.erase(all.begin() + std::ptrdiff_t(i));
  }
}

}  // namespace issp
