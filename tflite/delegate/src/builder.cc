#include "builder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "activation.h"
#include "operators.h"

namespace issp {
namespace {

// The int8 number of a bound, within the range of int8.
float nearest(float bound, const Quantization& numbers) {
  const float number =
      std::nearbyint(bound / numbers.scale) + float(numbers.zero_point);
  return std::min(std::max(number, float(kLeastInt8)), float(kMostInt8));
}

// XNNPACK multiplies int8 by multiples of 1/256, and rounds half up. It leaves
// other factors to the runtime. Rounds factors like XNNPACK. Returns a small
// offset for the products, so that rounding has no ties.
float round_factors(std::vector<float>* factors, std::vector<float>* below) {
  for (const std::vector<float>* all : {factors, below}) {
    for (float factor : *all) {
      const float size = std::abs(factor);
      if (size < 1 / 256.0f || size > 128) return 0;
    }
  }
  for (std::vector<float>* all : {factors, below}) {
    for (float& factor : *all) factor = std::nearbyint(256 * factor) / 256;
  }
  return 1 / 1024.0f;
}

// Whether an operation uses a value.
bool uses(const Operation& of, int value) {
  bool found = false;
  visit_operands(of, [&](int operand, const Post*) {
    found = found || operand == value;
  });
  return found;
}

// Whether it adds or multiplies other images.
bool takes_others(const Operation& of) {
  return std::any_of(of.posts.begin(), of.posts.end(),
                     [](const Post& post) { return post.value >= 0; });
}

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

// Brings the pixels of a value into an order. `user` is the operation that will
// use the result, or -1 if it is not added yet.
int Builder::rearranged(int value, const Arrangement& order, int user) {
  if (orders_[value] == order) return value;
  const int known = known_move(value, order);
  if (known >= 0) return known;
  if (rearrange_what_makes(value, order, user)) return value;
  const int again = computed_again(value, order);
  return again >= 0 ? again : moved(value, order);
}

// The value with the pixels of `value` in an order, or -1.
int Builder::known_move(int value, const Arrangement& order) const {
  for (const Rearranged& known : rearranged_) {
    if (known.value == value && known.order == order) return known.made;
  }
  return -1;
}

// Moves the pixels of a value into an order.
int Builder::moved(int value, const Arrangement& order) {
  const int known = known_move(value, order);
  if (known >= 0) return known;
  Operation of;
  of.kind = Operation::kArrange;
  of.name = "pixels";
  of.input = value;
  Arrangement from = orders_[value], to = order;
  // The order of the image may not have a size.
  if (to.is_image()) to.image = from.image;
  if (from.is_image()) from.image = to.image;
  of.arranged_from = from.size();
  of.arranged_to = to.size();
  std::vector<int> sources = to.pixels();
  const std::vector<int> pixels = from.pixels();
  std::vector<int> places(pixels.size(), 0);
  for (size_t i = 0; i < pixels.size(); ++i) places[size_t(pixels[i])] = int(i);
  for (int& source : sources) source = places[size_t(source)];
  of.sources = std::make_shared<const std::vector<int>>(std::move(sources));
  return insert_behind(value, order, std::move(of));
}

// Adds an operation that makes a value in another order. It directly follows
// the producer of the value, so that all later operations can use it.
int Builder::insert_behind(int value, const Arrangement& order, Operation of) {
  const int made = int(part_.network.values.size());
  of.output = made;
  const int place = producers_[value] + 1;
  for (int& producer : producers_) producer += producer >= place;
  part_.network.values.push_back(part_.network.values[value]);
  producers_.push_back(place);
  orders_.push_back(order);
  operations().insert(operations().begin() + place, std::move(of));
  rearranged_.push_back({value, order, made});
  return made;
}

// Computes a function of all channels a second time, in another order. This is
// for normalizations whose result is used in the order of the image and in that
// of windows. Returns the value, or -1 for other operations.
int Builder::computed_again(int value, const Arrangement& order) {
  Operation of = operations()[producers_[value]];
  if (of.kind != Operation::kAcross || !of.is_pixelwise()) return -1;
  if (takes_others(of)) return -1;
  of.input = rearranged(of.input, order, -1);
  again_.push_back(value);
  return insert_behind(value, order, std::move(of));
}

// Removes operations whose results are only used in another order.
void Builder::drop_first_orders() {
  for (int value : again_) {
    std::vector<Operation>& all = operations();
    const bool is_used =
        std::any_of(all.begin(), all.end(), [&](const Operation& of) {
          return uses(of, value);
        });
    if (is_used) continue;
    all.erase(std::remove_if(
                  all.begin(), all.end(),
                  [&](const Operation& of) { return of.output == value; }),
              all.end());
  }
}

// Lets the producer of a value read its input in this order, unless the input
// has more channels than the value. Returns whether this is done.
bool Builder::rearrange_what_makes(int value, const Arrangement& order,
                                   int user) {
  const Operation& of = operations()[producers_[value]];
  const std::vector<Value>& values = part_.network.values;
  if (!of.is_pixelwise() || values[value].repeats ||
      values[of.input].channels > values[value].channels) {
    return false;
  }
  if (takes_others(of)) return false;
  for (int i = 0; i < int(operations().size()); ++i) {
    if (i != user && uses(operations()[i], value)) return false;
  }
  const int made = rearranged(of.input, order, producers_[value]);
  operations()[producers_[value]].input = made;
  orders_[value] = order;
  return true;
}

// An operation that picks pixels of an image.
Operation Builder::pixels_of(int value, const std::vector<int>& rows,
                             const std::vector<int>& columns,
                             Size size) const {
  Operation of;
  of.kind = Operation::kArrange;
  of.input = value;
  of.arranged_from = size;
  of.arranged_to = {int(rows.size()), int(columns.size())};
  std::vector<int> sources;
  sources.reserve(rows.size() * columns.size());
  for (int row : rows) {
    for (int column : columns) sources.push_back(row * size.width + column);
  }
  of.sources = std::make_shared<const std::vector<int>>(std::move(sources));
  return of;
}

void Builder::append_pixels(int from, const std::vector<int>& rows,
                            const std::vector<int>& columns,
                            const GraphNode& node) {
  const std::vector<int> shape = tensors().shape(from);
  Operation of =
      pixels_of(value_of(from), rows, columns, {shape[1], shape[2]});
  of.name = name_of(node);
  append(std::move(of), node);
}

// Copies the pixels of a crop of an image.
int Builder::cropped(int tensor) {
  const View view = *tensors().view(tensor);
  const Size size = view.cropped();
  std::vector<int> rows(size_t(size.height)), columns(size_t(size.width));
  std::iota(rows.begin(), rows.end(), view.begins[kDown]);
  std::iota(columns.begin(), columns.end(), view.begins[kAcrossPixels]);
  Operation of = pixels_of(rearranged(raw(tensor), {}, -1), rows, columns,
                           view.size());
  of.name = "crop";
  of.output = new_value(view.channels(), tensor);
  selected_[tensor] = of.output;
  operations().push_back(std::move(of));
  return selected_[tensor];
}

// Copies the channels or pixels of a tensor if it does not have all of them.
int Builder::held(int tensor) {
  if (tensors().is_crop(tensor)) {
    const auto known = selected_.find(tensor);
    return known != selected_.end() ? known->second : cropped(tensor);
  }
  const int value = raw(tensor);
  if (!tensors().has_some_channels(tensor)) return value;
  const auto known = selected_.find(tensor);
  if (known != selected_.end()) return known->second;
  const View view = *tensors().view(tensor);
  const int channels = tensors().channels(tensor);
  Operation of = copy_of(value, nullptr);
  of.name = "channels";
  of.bias.resize(size_t(channels));
  of.weights.resize(size_t(channels));
  for (Nonzero& weight : of.weights) {
    weight.channel += view.begins[kChannels];
  }
  of.output = new_value(channels, tensor);
  orders_[of.output] = orders_[of.input];
  selected_[tensor] = of.output;
  operations().push_back(std::move(of));
  return selected_[tensor];
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

void Builder::clamp(Operation* of, float low, float high) const {
  if (low == -kInfinity && high == kInfinity) return;
  if (part_.network.values[of->output].is_int8) {
    // Every function in int8 ends with bounds.
    const Quantization& numbers = quantization_of(of->output);
    const bool has_posts = !of->posts.empty();
    float& least = has_posts ? of->posts.back().low : of->int8.low;
    float& most = has_posts ? of->posts.back().high : of->int8.high;
    least = std::min(std::max(least, nearest(low, numbers)), most);
    most = std::max(std::min(most, nearest(high, numbers)), least);
    return;
  }
  if (!of->posts.empty() && of->posts.back().kind == kClamp) {
    // Clamping is the same before and after DEPTH_TO_SPACE.
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

void Builder::rescale(Operation* of, const GraphNode& node,
                      std::vector<float> factors, std::vector<float> below,
                      bool rounds_factors) const {
  Post post;
  post.kind = kLeaky;
  if (rounds_factors) post.factor = round_factors(&factors, &below);
  post.a = std::move(below);
  post.b = std::move(factors);
  post.zero_point = tensors().quantization(node.input(0)).zero_point;
  post.made_zero_point = tensors().quantization(node.output()).zero_point;
  push(of, std::move(post));
}

void Builder::requantize(Operation* of, const GraphNode& node,
                         bool rounds_factors) const {
  const Quantization from = tensors().quantization(node.input(0));
  const Quantization to = tensors().quantization(node.output());
  if (from == to) return;
  const std::vector<float> factors(tensors().channels(node.output()),
                                   from.scale / to.scale);
  rescale(of, node, factors, factors, rounds_factors);
}

void Builder::push(Operation* of, Post post) const {
  post.shuffled = of->block > 1;
  if (part_.network.values[of->output].is_int8) {
    post.low = kLeastInt8;
    post.high = kMostInt8;
  }
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
