#include "reorder.h"

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "sort.h"

namespace issp {
namespace {

// The limit of comparisons, in words of 64 weights, so that files load fast.
constexpr int64_t kMostWords = 100000000;

// Finds images whose channels must have the same order.
class Ties {
 public:
  explicit Ties(const Network& network)
      : parents_(network.values.size()), is_fixed_(network.values.size()) {
    std::iota(parents_.begin(), parents_.end(), 0);
    for (size_t v = 0; v < network.values.size(); ++v) {
      const Value& value = network.values[v];
      if (!value.is_int8 || value.repeats || value.channels <= kBlock) {
        is_fixed_[v] = true;
      }
    }
    for (const Operation& of : network.operations) add(of);
  }

  int root_of(int value) const {
    while (parents_[value] != value) value = parents_[value];
    return value;
  }

  bool is_fixed(int value) const { return is_fixed_[root_of(value)]; }

 private:
  void add(const Operation& of) {
    if (of.kind == Operation::kMean) {
      tie(of.input, of.output);
    } else if (of.kind != Operation::kLinear) {
      visit_operands(of, [&](int value, const Post*) { fix(value); });
      if (of.output >= 0) fix(of.output);
    }
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      if (post.repeated) {
        fix(post.value);
        fix(of.output);
      } else {
        tie(post.value, of.output);
      }
      // Before DEPTH_TO_SPACE, the image has the channels of a block of pixels.
      if (of.block > 1 && !post.shuffled) fix(of.output);
    }
  }

  void fix(int value) { is_fixed_[root_of(value)] = true; }

  void tie(int a, int b) {
    a = root_of(a);
    b = root_of(b);
    parents_[b] = a;
    is_fixed_[a] = is_fixed_[a] || is_fixed_[b];
  }

  std::vector<int> parents_;
  std::vector<bool> is_fixed_;
};

// The places of non-zeros of a channel of tied images. There is one bit for
// each filter and place of all kernels that read them.
using Bits = std::vector<uint64_t>;

std::vector<Bits> bits_of(const Network& network, const Ties& ties, int root,
                          int channels) {
  std::vector<size_t> begins;  // First place of each operation.
  size_t places = 0;
  for (const Operation& of : network.operations) {
    begins.push_back(places);
    if (of.kind == Operation::kLinear && ties.root_of(of.input) == root) {
      places += of.bias.size() * size_t(of.kernel.height) *
                size_t(of.kernel.width);
    }
  }
  std::vector<Bits> bits(channels, Bits((places + 63) / 64));
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (of.kind != Operation::kLinear || ties.root_of(of.input) != root) {
      continue;
    }
    for (const Nonzero& weight : of.weights) {
      const size_t place =
          begins[i] + (size_t(weight.output) * of.kernel.height + weight.row) *
                          of.kernel.width +
          size_t(weight.column);
      bits[weight.channel][place / 64] |= uint64_t{1} << (place % 64);
    }
  }
  return bits;
}

// Finds an order. Swaps channels as long as the number of blocks falls.
class Order {
 public:
  explicit Order(std::vector<Bits> bits) : bits_(std::move(bits)) {
    order_.resize(bits_.size());
    std::iota(order_.begin(), order_.end(), 0);
  }

  // Returns the channel for each place. `words` is the remaining limit.
  std::vector<int> improve(int64_t* words) {
    const int count = int(order_.size());
    const int64_t of_pair = int64_t(2 * kBlock) * int64_t(bits_[0].size());
    for (bool changes = true; changes;) {
      changes = false;
      for (int i = 0; i < count; ++i) {
        for (int j = (i / kBlock + 1) * kBlock; j < count; ++j) {
          *words -= of_pair;
          if (*words < 0) return order_;
          const int before = blocks(i / kBlock) + blocks(j / kBlock);
          std::swap(order_[i], order_[j]);
          if (blocks(i / kBlock) + blocks(j / kBlock) < before) {
            changes = true;
          } else {
            std::swap(order_[i], order_[j]);
          }
        }
      }
    }
    return order_;
  }

 private:
  int blocks(int plane) const {
    const int begin = plane * kBlock;
    const int end = std::min(begin + kBlock, int(order_.size()));
    int count = 0;
    for (size_t word = 0; word < bits_[0].size(); ++word) {
      uint64_t any = 0;
      for (int c = begin; c < end; ++c) any |= bits_[order_[c]][word];
      count += int(std::bitset<64>(any).count());
    }
    return count;
  }

  std::vector<Bits> bits_;
  std::vector<int> order_;
};

// Reorders numbers by channel, or by channel and pixel of DEPTH_TO_SPACE.
template <class Number>
void reorder(const std::vector<int>& order, std::vector<Number>* numbers) {
  const std::vector<Number> old = *numbers;
  const size_t depth = order.size();
  for (size_t i = 0; i < old.size(); ++i) {
    (*numbers)[i] = old[i / depth * depth + order[i % depth]];
  }
}

void reorder_outputs(const std::vector<int>& order,
                     const std::vector<int>& place_of, Operation* of) {
  const int depth = int(order.size());
  for (Nonzero& weight : of->weights) {
    weight.output =
        weight.output / depth * depth + place_of[weight.output % depth];
  }
  reorder(order, &of->int8.bias);
  reorder(order, &of->int8.multipliers);
  for (Post& post : of->posts) {
    reorder(order, &post.a);
    reorder(order, &post.b);
    reorder(order, &post.biases);
  }
}

void reorder_group(const Ties& ties, int root, const std::vector<int>& order,
                   Network* network) {
  std::vector<int> place_of(order.size());
  for (int i = 0; i < int(order.size()); ++i) place_of[order[i]] = i;
  for (Operation& of : network->operations) {
    if (of.kind != Operation::kLinear) continue;
    if (ties.root_of(of.input) == root) {
      for (Nonzero& weight : of.weights) {
        weight.channel = place_of[weight.channel];
      }
    }
    if (ties.root_of(of.output) == root) {
      reorder_outputs(order, place_of, &of);
    }
    sort_weights(&of.weights);
  }
}

}  // namespace

void reorder_channels(Network* network) {
  if (!network->has_int8()) return;
  const Ties ties(*network);
  int64_t words = kMostWords;
  for (int v = 0; v < int(network->values.size()); ++v) {
    if (ties.root_of(v) != v || ties.is_fixed(v)) continue;
    const int channels = network->values[v].channels;
    std::vector<Bits> bits = bits_of(*network, ties, v, channels);
    if (bits[0].empty()) continue;
    const std::vector<int> order = Order(std::move(bits)).improve(&words);
    reorder_group(ties, v, order, network);
  }
}

}  // namespace issp
