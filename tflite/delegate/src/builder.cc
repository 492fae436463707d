#include "builder.h"

#include <algorithm>
#include <utility>

#include "activation.h"
#include "operators.h"

namespace issp {

std::string build(const Graph& graph, const std::vector<int>& nodes,
                  const std::vector<int>& outputs, Part* part) {
  return Builder(graph, outputs, part).build(nodes);
}

std::string Builder::build(const std::vector<int>& nodes) {
  for (int index : nodes) {
    const GraphNode& node = graph_.node(index);
    const std::string error = find_operator(node.code)->build(node, this);
    if (!error.empty()) return error;
    ++part_.nodes;
  }
  for (int tensor : outputs_) add_output(tensor);
  if (!is_consistent()) return "its shapes contradict each other";
  postpone();
  return "";
}

void Builder::add_output(int tensor) {
  const auto padded = pads_.find(tensor);
  if (padded != pads_.end()) {
    // By a kernel of one pixel.
    const auto& [node, padding] = padded->second;
    Operation of = copy_of(value_of(node->input(0)), *node);
    of.padding = padding;
    append(std::move(of), *node);
  }
  const auto value = values_.find(tensor);
  // Those of other parts, and constants.
  if (value == values_.end()) return;
  Operation output;
  output.kind = Operation::kOutput;
  output.rows = tensors().is_list(tensor);
  output.input = value->second;
  output.tensor = int(part_.outputs.size());
  output.name = "output";
  part_.outputs.push_back(tensor);
  operations().push_back(std::move(output));
}

int Builder::new_value(int channels) {
  part_.network.values.push_back({channels});
  producers_.push_back(int(operations().size()));
  return int(part_.network.values.size()) - 1;
}

int Builder::value_of(int tensor) {
  const auto known = values_.find(tensor);
  if (known != values_.end()) return known->second;
  Operation input;
  input.kind = Operation::kInput;
  input.rows = tensors().is_list(tensor);
  input.output = new_value(tensors().channels(tensor));
  input.tensor = int(part_.inputs.size());
  input.name = "input";
  part_.inputs.push_back(tensor);
  values_[tensor] = input.output;
  operations().push_back(std::move(input));
  return values_[tensor];
}

std::string Builder::name_of(const GraphNode& node) const {
  const char* name = tensors().at(node.output()).name;
  return name ? name : "";
}

Operation* Builder::open(int tensor) {
  const auto value = values_.find(tensor);
  if (value == values_.end() || outputs_.count(tensor)) return nullptr;
  if (graph_.users(tensor).size() != 1) return nullptr;
  Operation& of = operations()[producers_[value->second]];
  const bool repeats = part_.network.values[value->second].repeats;
  return of.has_tiles() && !repeats ? &of : nullptr;
}

Operation& Builder::opened(int tensor, const GraphNode& node) {
  if (Operation* of = open(tensor)) {
    values_[node.output()] = of->output;
    return *of;
  }
  return append(copy_of(value_of(tensor), node), node);
}

Operation& Builder::copied(int tensor, const GraphNode& node) {
  return append(copy_of(value_of(tensor), node), node);
}

Operation Builder::copy_of(int value, const GraphNode& node) const {
  Operation copy;
  copy.kind = Operation::kLinear;
  copy.input = value;
  const int channels = part_.network.values[value].channels;
  for (int c = 0; c < channels; ++c) copy.weights.push_back({c, 0, 0, c, 1});
  copy.bias.assign(channels, 0);
  copy.name = name_of(node);
  return copy;
}

Operation& Builder::append(Operation of, const GraphNode& node) {
  const int channels = of.bias.empty() ? tensors().channels(node.output())
                                       : int(of.bias.size());
  of.output = new_value(channels / (of.block * of.block));
  values_[node.output()] = of.output;
  operations().push_back(std::move(of));
  return operations().back();
}

Operation& Builder::across(int tensor, AcrossKind kind, float number,
                           const GraphNode& node) {
  Operation of = copy_of(value_of(tensor), node);
  of.kind = Operation::kAcross;
  of.across = kind;
  of.number = number;
  return append(std::move(of), node);
}

void Builder::shuffle(Operation* of, int block) {
  of->block = block;
  part_.network.values[of->output].channels /= block * block;
}

void Builder::pad(const GraphNode& node, const Padding& padding) {
  pads_[node.output()] = {&node, padding};
}

int Builder::unpadded(int tensor, Padding* padding) const {
  const auto padded = pads_.find(tensor);
  if (padded == pads_.end()) return tensor;
  *padding = padded->second.padding;
  return padded->second.node->input(0);
}

void Builder::clamp(Operation* of, float low, float high) const {
  if (low == -kInfinity && high == kInfinity) return;
  if (!of->posts.empty() && of->posts.back().kind == kClamp) {
    // Which does the same before DEPTH_TO_SPACE and after it.
    Post& last = of->posts.back();
    last.low = std::min(std::max(last.low, low), high);
    last.high = std::min(std::max(last.high, low), high);
    return;
  }
  Post post;
  post.kind = kClamp;
  post.low = low;
  post.high = high;
  push(of, std::move(post));
}

void Builder::activate(Operation* of, int activation) const {
  float low, high;
  bounds_of(activation, &low, &high);
  clamp(of, low, high);
}

void Builder::push(Operation* of, Post post) const {
  post.shuffled = of->block > 1;
  of->posts.push_back(std::move(post));
}

void Builder::scale(Operation* of, std::vector<float> a,
                    std::vector<float> b) const {
  if (!of->posts.empty() || of->kind != Operation::kLinear) {
    Post post;
    post.kind = kAffine;
    post.a = std::move(a);
    post.b = std::move(b);
    push(of, std::move(post));
    return;
  }
  for (Nonzero& weight : of->weights) {
    weight.value *= a[channel_of(*of, weight.output)];
  }
  for (int o = 0; o < int(of->bias.size()); ++o) {
    const int channel = channel_of(*of, o);
    of->bias[o] = of->bias[o] * a[channel] + b[channel];
  }
}

std::string Builder::by_channel(int tensor, int channels,
                                std::vector<float>* all) const {
  Constant constant;
  const std::string error = tensors().read(tensor, &constant);
  if (!error.empty()) return error;
  *all = constant.dense();
  // A copy: what is assigned must not be of the vector itself.
  const float first = all->front();
  if (all->size() == 1) all->assign(channels, first);
  return "";
}

// Whether no weight and no other image reaches beyond a channel, whatever the
// file says of shapes.
bool Builder::is_consistent() const {
  const std::vector<Value>& values = part_.network.values;
  for (const Operation& of : part_.network.operations) {
    if (!of.has_tiles()) continue;
    const int sums = int(of.bias.size());
    const int depth = values[of.output].channels;
    if (depth < 1 || sums != depth * of.block * of.block) return false;
    for (const Nonzero& weight : of.weights) {
      if (weight.output >= sums ||
          weight.channel >= values[of.input].channels) {
        return false;
      }
    }
    for (const Post& post : of.posts) {
      const int channels = post.shuffled ? depth : sums;
      if (post.value >= 0 && values[post.value].channels != channels) {
        return false;
      }
    }
  }
  return true;
}

// Moves what enlarges an image behind all that does not need it, so that the
// small image is kept meanwhile, and not the large one.
void Builder::postpone() {
  std::vector<Operation>& all = operations();
  const auto uses = [](const Operation& of, int value) {
    bool found = false;
    visit_operands(of, [&](int operand, const Post*) {
      found = found || operand == value;
    });
    return found;
  };
  for (size_t i = all.size(); i-- > 0;) {
    if (!enlarges(all[i])) continue;
    size_t user = i + 1;
    while (user < all.size() && !uses(all[user], all[i].output)) ++user;
    std::rotate(all.begin() + i, all.begin() + i + 1, all.begin() + user);
  }
}

bool Builder::enlarges(const Operation& of) const {
  if (!of.has_tiles()) return false;
  const std::vector<Value>& values = part_.network.values;
  return of.block * of.block * values[of.output].channels >
         of.stride.height * of.stride.width * values[of.input].channels;
}

}  // namespace issp
