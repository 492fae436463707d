#include "builder.h"

#include <algorithm>
#include <utility>

#include "fold.h"
#include "liveness.h"
#include "operators.h"

namespace issp {
namespace {

constexpr char kWithin[] =
    "it begins or ends within attention or a normalization";

}  // namespace

std::string build(const Graph& graph, const std::vector<int>& nodes,
                  const std::vector<int>& outputs, Part* part) {
  return Builder(graph, outputs, part).build(nodes);
}

std::string Builder::build(const std::vector<int>& nodes) {
  for (int index : nodes) {
    const GraphNode& node = graph_.node(index);
    node_ = index;
    const Operator* of = find_operator(node, tensors());
    if (!of) return "its operator is another one now";
    const std::string error = of->build(node, this);
    if (!error.empty()) return error;
    built_.insert(index);
    ++part_.nodes;
  }
  for (int tensor : outputs_) add_output(tensor);
  if (!error_.empty()) return error_;
  if (!is_consistent()) return "its shapes contradict each other";
  drop_first_orders();
  fold_copies(&part_.network);
  postpone();
  return "";
}

void Builder::add_output(int tensor) {
  const auto padded = pads_.find(tensor);
  if (padded != pads_.end()) {
    // Pads with a 1x1 kernel.
    const auto& [node, padding] = padded->second;
    Operation of = copy_of(value_of(node->input(0)), node);
    of.padding = padding;
    append(std::move(of), *node);
  }
  const auto given = given_.find(tensor);
  const bool is_given = given != given_.end() && !values_.count(tensor);
  const int source = is_given ? given->second.source : tensor;
  // Skips constants and outputs of other parts.
  if (!values_.count(source)) return;
  // A network makes whole images. They do not have the shape of such a tensor.
  if (tensors().is_symbol(source) || tensors().is_rearranged(source)) {
    error_ = kWithin;
    return;
  }
  Operation output;
  output.kind = Operation::kOutput;
  output.rows = tensors().is_list(tensor);
  output.input = value_of(source);
  output.pixels = is_given ? given->second.type
                  : tensors().is_int8(tensor) ? kPixelsInt8
                                              : kPixelsFloat32;
  output.tensor = int(part_.outputs.size());
  output.name = "output";
  part_.outputs.push_back(tensor);
  operations().push_back(std::move(output));
}

// Adds a value with the type and quantization of a tensor.
int Builder::new_value(int channels, int tensor) {
  Value value;
  value.channels = channels;
  value.is_int8 = tensors().is_int8(tensor);
  if (value.is_int8) value.quantization = tensors().quantization(tensor);
  part_.network.values.push_back(value);
  producers_.push_back(int(operations().size()));
  orders_.emplace_back();
  return int(part_.network.values.size()) - 1;
}

int Builder::value_of(int tensor) {
  const int value = rearranged(held(tensor), {}, -1);
  // Attention does not write the borders beside its rows.
  return operations()[producers_[value]].kind == Operation::kAttention
             ? moved(value, {})
             : value;
}

int Builder::held_like(int tensor, int other) {
  const int value = held(tensor);
  if (tensors().extent(tensor).is_pixel) return value;
  // A copy, because `rearranged` adds to `orders_`.
  const Arrangement order = orders_[held(other)];
  return rearranged(value, order, -1);
}

int Builder::arranged(int tensor, const Arrangement& order) {
  return rearranged(raw(tensor), order, -1);
}

void Builder::hold(int tensor, int value) {
  values_[tensor] = value;
  tensors_of_[value].push_back(tensor);
}

void Builder::alias(int tensor, int source) {
  hold(tensor, raw(source));
}

// Whether only the current node needs the unchanged value, and uses it once.
bool Builder::has_no_other_use(int value) {
  int uses = 0;
  for (int tensor : tensors_of_[value]) {
    if (outputs_.count(tensor)) return false;
    for (int user : graph_.users(tensor)) {
      if (user == node_ ? ++uses > 1 : !only_moves(user, value)) return false;
    }
  }
  return true;
}

// Whether a node has been built, and its result is the value itself.
bool Builder::only_moves(int node, int value) const {
  if (!built_.count(node)) return false;
  for (int output : tflite::to_vector(graph_.node(node).node->outputs)) {
    const auto made = values_.find(output);
    if (made == values_.end() || made->second != value) return false;
  }
  return true;
}

int Builder::raw(int tensor) {
  const auto known = values_.find(tensor);
  if (known != values_.end()) return known->second;
  if (tensors().is_symbol(tensor) || tensors().is_rearranged(tensor)) {
    error_ = kWithin;
  }
  const auto given = given_.find(tensor);
  if (given == given_.end()) {
    return add_input(tensor, tensor,
                     tensors().is_int8(tensor) ? kPixelsInt8 : kPixelsFloat32);
  }
  Operation of;
  of.kind = Operation::kDequantize;
  of.input = held(given->second.source);
  const int channels = part_.network.values[of.input].channels;
  of.bias.assign(channels, 0);
  of.name = "float32";
  of.output = new_value(channels, tensor);
  hold(tensor, of.output);
  operations().push_back(std::move(of));
  return values_[tensor];
}

// Adds an input. The pixels of `tensor` become the value of `value_of`.
int Builder::add_input(int tensor, int value_of, PixelType type) {
  Operation input;
  input.kind = Operation::kInput;
  input.rows = tensors().is_list(tensor);
  input.output = new_value(tensors().channels(value_of), value_of);
  input.tensor = int(part_.inputs.size());
  input.pixels = type;
  input.name = "input";
  part_.inputs.push_back(tensor);
  hold(value_of, input.output);
  operations().push_back(std::move(input));
  return values_[value_of];
}

bool Builder::take_pixels(int tensor, int source, PixelType type) {
  if (values_.count(source) || given_.count(source) ||
      graph_.users(source).size() != 1) {
    return false;
  }
  add_input(source, tensor, type);
  return true;
}

void Builder::give_pixels(int tensor, int source, PixelType type) {
  value_of(source);
  given_[tensor] = {source, type};
}

std::string Builder::name_of(const GraphNode& node) const {
  const char* name = tensors().at(node.output()).name;
  return name ? name : "";
}

Operation* Builder::open(int tensor) {
  const auto value = values_.find(tensor);
  if (value == values_.end() || tensors().has_some_channels(tensor) ||
      tensors().is_crop(tensor)) {
    return nullptr;
  }
  if (!has_no_other_use(value->second)) return nullptr;
  Operation& of = operations()[producers_[value->second]];
  const bool repeats = part_.network.values[value->second].repeats;
  const bool converts = of.kind == Operation::kQuantize ||
                        of.kind == Operation::kDequantize;
  return of.has_tiles() && !converts && !repeats ? &of : nullptr;
}

Operation& Builder::opened(int tensor, const GraphNode& node) {
  if (Operation* of = open(tensor)) {
    hold(node.output(), of->output);
    if (is_int8(node)) {
      quantization_of(of->output) = tensors().quantization(node.output());
    }
    return *of;
  }
  return append(copy_of(held(tensor), &node), node);
}

Operation& Builder::copied(int tensor, const GraphNode& node) {
  return append(copy_of(held(tensor), &node), node);
}

Operation& Builder::opened_image(int tensor, const GraphNode& node) {
  return orders_[held(tensor)].is_image() ? opened(tensor, node)
                                          : copied_image(tensor, node);
}

Operation& Builder::copied_image(int tensor, const GraphNode& node) {
  return append(copy_of(value_of(tensor), &node), node);
}

Operation Builder::copy_of(int value, const GraphNode* node) const {
  Operation copy;
  copy.kind = Operation::kLinear;
  copy.input = value;
  const int channels = part_.network.values[value].channels;
  for (int c = 0; c < channels; ++c) copy.weights.push_back({c, 0, 0, c, 1});
  copy.bias.assign(channels, 0);
  if (part_.network.values[value].is_int8) {
    copy.int8.bias.assign(channels, 0);
    copy.int8.multipliers.assign(channels, 1);
    copy.int8.zero_point = quantization_of(value).zero_point;
  }
  if (node) copy.name = name_of(*node);
  return copy;
}

Operation& Builder::append(Operation of, const GraphNode& node) {
  const int channels = of.bias.empty() ? tensors().channels(node.output())
                                       : int(of.bias.size());
  of.output = new_value(channels / (of.block * of.block), node.output());
  hold(node.output(), of.output);
  if (of.is_pixelwise()) orders_[of.output] = orders_[of.input];
  operations().push_back(std::move(of));
  return operations().back();
}

Operation& Builder::append_attention(Operation of, const Arrangement& order,
                                     const GraphNode& node) {
  const Attention& attention = of.attention;
  of.output = new_value(
      int(attention.heads.size()) * attention.value_channels, node.output());
  hold(node.output(), of.output);
  orders_[of.output] = order;
  operations().push_back(std::move(of));
  return operations().back();
}

Operation& Builder::across(int tensor, AcrossKind kind, float number,
                           const GraphNode& node) {
  Operation of = copy_of(held(tensor), &node);
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

std::string Builder::by_channel(int tensor, int channels,
                                std::vector<float>* all) const {
  Constant constant;
  const std::string error = tensors().read(tensor, &constant);
  if (!error.empty()) return error;
  *all = constant.dense();
  // A copy, because `assign` must not get a reference into the vector.
  const float first = all->front();
  if (all->size() == 1) all->assign(channels, first);
  return "";
}

// Whether all channels of weights and other images exist. The file may contain
// wrong shapes.
bool Builder::is_consistent() const {
  const std::vector<Value>& values = part_.network.values;
  for (const Operation& of : part_.network.operations) {
    for (const Attention::Head& head : of.attention.heads) {
      const Attention& attention = of.attention;
      if (head.query < 0 || head.key < 0 || head.value < 0 ||
          head.query + attention.channels > values[of.input].channels ||
          head.key + attention.channels > values[attention.keys].channels ||
          head.value + attention.value_channels >
              values[attention.values].channels) {
        return false;
      }
    }
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

// Moves an operation that enlarges an image to its first user. Until then,
// memory holds the small image, and not the large one.
void Builder::postpone() {
  std::vector<Operation>& all = operations();
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
