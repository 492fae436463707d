#include "fold.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "liveness.h"

namespace issp {
namespace {

// Whether output o of a linear operation is a copy of its input's number.
bool is_copied(const Operation& of, size_t o, bool is_int8) {
  if (is_int8) return of.int8.bias[o] == 0 && of.int8.multipliers[o] == 1;
  return of.bias[o] == 0;
}

bool keeps_numbers(const Operation& of, const Value& in, const Value& out) {
  if (in.is_int8 != out.is_int8) return false;
  return !in.is_int8 ||
         (in.quantization == out.quantization &&
          of.int8.low <= kLeastInt8 && of.int8.high >= kMostInt8 &&
          of.int8.zero_point == in.quantization.zero_point);
}

// Whether an operation copies all channels of its input, once or several times.
bool is_repetition(const Network& network, const Operation& of) {
  if (of.kind != Operation::kLinear || !of.is_pixelwise() ||
      !of.posts.empty() || of.expected != Size{} ||
      of.weights.size() != of.bias.size()) {
    return false;
  }
  const Value& in = network.values[of.input];
  if (of.weights.size() % size_t(in.channels) ||
      !keeps_numbers(of, in, network.values[of.output])) {
    return false;
  }
  for (size_t i = 0; i < of.weights.size(); ++i) {
    const Nonzero& weight = of.weights[i];
    if (weight.output != int(i) || weight.channel != int(i) % in.channels ||
        weight.value != 1 || !is_copied(of, i, in.is_int8)) {
      return false;
    }
  }
  return true;
}

// Lets the posts of an operation read the input of a repetition in place of
// its output. Returns whether there are such posts.
bool read_input(const Operation& repetition, int channels, Operation* user) {
  bool found = false;
  for (Post& post : user->posts) {
    if (post.value != repetition.output) continue;
    found = true;
    post.value = repetition.input;
    if (post.repeated || int(repetition.bias.size()) != channels) {
      post.repeated = channels;
    }
  }
  return found;
}

}  // namespace

void fold_copies(Network* network) {
  std::vector<Operation>& all = network->operations;
  for (size_t i = all.size(); i-- > 0;) {
    if (!is_repetition(*network, all[i])) continue;
    const int channels = network->values[all[i].input].channels;
    size_t first = 0;
    for (size_t user = all.size(); --user > i;) {
      if (read_input(all[i], channels, &all[user])) first = user;
    }
    if (first && remove_if_unused(all[i].output, network)) {
      ++all[first - 1].copies;
    }
  }
}

bool remove_if_unused(int value, Network* network) {
  std::vector<Operation>& all = network->operations;
  for (const Operation& of : all) {
    if (uses(of, value)) return false;
  }
  all.erase(std::remove_if(
                all.begin(), all.end(),
                [&](const Operation& of) { return of.output == value; }),
            all.end());
  return true;
}

}  // namespace issp
