#include "graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace issp {
namespace {

using tflite::IntArray;
using tflite::new_array;
using tflite::Tensor;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// How many times faster than float32 TFLite multiplies int8 kernels with images
// that it rounds on the way.
constexpr double kInt8Speed = 3.5;
constexpr char kNoImages[] =
    "its images are not float32, or have no 4 dimensions";
constexpr char kOtherChannels[] =
    "its images are not float32, or have other channels";
constexpr int kLargestBlock = 16;
constexpr int kLargestStride = 8;
constexpr int kLargestPadding = 64;
constexpr int kLargestKernel = 255;
constexpr int kLargestChannels = 1 << 16;

template <class Parameters>
const Parameters& parameters(const GraphNode& node) {
  return *static_cast<const Parameters*>(node.node->parameters);
}

// The bounds that an activation keeps, or whether there is another.
bool bounds_of(int activation, float* low, float* high) {
  *low = -kInfinity;
  *high = kInfinity;
  switch (activation) {
    case tflite::kNoActivation:
      return true;
    case tflite::kActivationRelu:
      *low = 0;
      return true;
    case tflite::kActivationReluN1To1:
      *low = -1;
      *high = 1;
      return true;
    case tflite::kActivationRelu6:
      *low = 0;
      *high = 6;
      return true;
  }
  return false;
}

bool has_bounds(int activation) {
  float low, high;
  return bounds_of(activation, &low, &high);
}

bool is_same(int padding) { return padding == tflite::kSame; }

int activation_of(const GraphNode& node) {
  switch (node.code) {
    case tflite::kConv2D:
      return parameters<tflite::ConvParameters>(node).activation;
    case tflite::kDepthwiseConv2D:
      return parameters<tflite::DepthwiseConvParameters>(node).activation;
    case tflite::kFullyConnected:
      return parameters<tflite::FullyConnectedParameters>(node).activation;
    case tflite::kAdd:
    case tflite::kMul:
    case tflite::kSub:
      return parameters<tflite::ElementwiseParameters>(node).activation;
    case tflite::kRelu:
      return tflite::kActivationRelu;
    case tflite::kRelu6:
      return tflite::kActivationRelu6;
    case tflite::kReluN1To1:
      return tflite::kActivationReluN1To1;
  }
  return tflite::kNoActivation;
}

bool is_same_shape(const Tensor& a, const Tensor& b) {
  return a.shape && b.shape && a.shape->size == b.shape->size &&
         std::equal(a.shape->data, a.shape->data + a.shape->size,
                    b.shape->data);
}

// Whether the constant has one number, or one for each channel.
bool is_by_channel(const Tensor& tensor, int channels) {
  int64_t size = 1;
  for (int i = 0; i < tensor.shape->size; ++i) {
    size *= tensor.shape->data[i];
    if (size < 1 || size > kLargestChannels) return false;
  }
  if (size == 1) return true;
  const int rank = tensor.shape->size;
  return size == channels && tensor.shape->data[rank - 1] == channels;
}

struct Window {
  Size stride;
  Size dilation;
  bool same;
};

Window window_of(const GraphNode& node) {
  if (node.code == tflite::kFullyConnected) return {{1, 1}, {1, 1}, false};
  if (node.code == tflite::kConv2D) {
    const auto& of = parameters<tflite::ConvParameters>(node);
    return {{of.stride_height, of.stride_width},
            {of.dilation_height, of.dilation_width},
            is_same(of.padding)};
  }
  const auto& of = parameters<tflite::DepthwiseConvParameters>(node);
  return {{of.stride_height, of.stride_width},
          {of.dilation_height, of.dilation_width},
          is_same(of.padding)};
}

}  // namespace

void Constants::add(int tensor, int source) {
  const auto found = sources_.find(source);
  sources_[tensor] = found == sources_.end() ? source : found->second;
}

std::string Constants::read(const tflite::Context& context, int tensor,
                            Constant* constant) const {
  const Tensor& source = context.tensors[sources_.at(tensor)];
  const std::string error = read_constant(source, constant);
  if (error.empty()) return "";
  return std::string("tensor ") + (source.name ? source.name : "") + " " +
         error;
}

Graph::Graph(tflite::Context* context, std::string* error)
    : context_(context) {
  IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != tflite::kOk || !plan) {
    *error = "the runtime has no execution plan";
    return;
  }
  for (int i = 0; i < int(context->tensor_count); ++i) {
    if (is_constant(tensor(i))) constants_.add(i, i);
  }
  const std::vector<int> order(plan->data, plan->data + plan->size);
  if (!read_nodes(order, error)) return;
  if (!read_outputs(order)) {
    *error = "the runtime cannot part the graph";
    return;
  }
  find_placeholders();
  std::set<int> known;
  for (int index : order) {
    const auto node = nodes_.find(index);
    if (node == nodes_.end() || constants_.has(node->second.output())) continue;
    if (const char* problem = problem_of(node->second)) {
      problems_[index] = problem;
    } else {
      known.insert(index);
    }
  }
  // A padded image is only known by what convolves it.
  for (const auto& [index, node] : nodes_) {
    if (node.code != tflite::kPad || !known.count(index)) continue;
    for (int user : users_[node.output()]) {
      const auto of = nodes_.find(user);
      const bool convolves = of != nodes_.end() && known.count(user) &&
                             (of->second.code == tflite::kConv2D ||
                              of->second.code == tflite::kDepthwiseConv2D);
      if (!convolves) known.erase(index);
    }
    if (users_[node.output()].empty()) known.erase(index);
  }
  for (const auto& [index, node] : nodes_) {
    const int output = node.output();
    if (constants_.has(output) && !outputs_.count(output)) known.insert(index);
  }
  for (int index : order) {
    if (known.count(index)) supported_.push_back(index);
  }
}

// Notes the nodes, who uses what, and which tensors are constants.
bool Graph::read_nodes(const std::vector<int>& order, std::string* error) {
  for (int index : order) {
    tflite::Node* node = nullptr;
    tflite::Registration* registration = nullptr;
    if (context_->get_node_and_registration(context_, index, &node,
                                            &registration) != tflite::kOk) {
      *error = "the runtime does not know its own nodes";
      return false;
    }
    // Those that others compute use tensors too.
    for (int i = 0; i < node->inputs->size; ++i) {
      users_[node->inputs->data[i]].push_back(index);
    }
    if (node->delegate || node->outputs->size < 1) continue;
    const GraphNode of{index, registration->operator_code, node};
    nodes_.emplace(index, of);
    const bool unpacks =
        of.code == tflite::kDensify || of.code == tflite::kDequantize;
    // A file could give what is unpacked another shape than it has.
    if (unpacks && of.output() >= 0 && constants_.has(of.input(0)) &&
        is_same_shape(tensor(of.input(0)), tensor(of.output())) &&
        (is_float(of.output()) || of.code == tflite::kDensify)) {
      constants_.add(of.output(), of.input(0));
    }
  }
  return true;
}

// The outputs of the graph are those of a part that has all nodes.
bool Graph::read_outputs(const std::vector<int>& order) {
  if (order.empty()) return true;
  const tflite::OwnedArray nodes(new_array(order));
  if (!nodes) return false;
  tflite::DelegateParameters* parts = nullptr;
  int count = 0;
  const int status =
      context_->preview_partitioning(context_, nodes.get(), &parts, &count);
  if (status != tflite::kOk) return false;
  for (int i = 0; i < count; ++i) {
    const IntArray& outputs = *parts[i].output_tensors;
    outputs_.insert(outputs.data, outputs.data + outputs.size);
  }
  return true;
}

void Graph::find_placeholders() {
  std::set<int> made;
  for (const auto& [index, node] : nodes_) {
    const IntArray& outputs = *node.node->outputs;
    made.insert(outputs.data, outputs.data + outputs.size);
  }
  int images = 0, pixels = 0;
  for (const auto& [i, nodes] : users_) {
    if (i < 0 || made.count(i) || !is_new_image(i) || rank(i) != 4) continue;
    ++images;
    const int* shape = tensor(i).shape->data;
    if (shape[1] == 1 && shape[2] == 1) ++pixels;
  }
  has_placeholders_ = images > 0 && images == pixels;
}

std::vector<int> Graph::unpackers_without_users(
    const std::set<int>& kept) const {
  std::vector<int> found;
  // What unpacks comes before what uses it.
  std::set<int> left = kept;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    const int output = node->second.output();
    if (!left.count(node->first) || !constants_.has(output)) continue;
    const auto users = users_.find(output);
    const bool all =
        users != users_.end() &&
        std::all_of(users->second.begin(), users->second.end(),
                    [&](int user) { return left.count(user) > 0; });
    if (all) continue;
    left.erase(node->first);
    found.push_back(node->first);
  }
  return found;
}

// The numbers of a constant of int32, if there are so many; or null.
const int32_t* Graph::integers_of(int i, size_t count) const {
  if (i < 0) return nullptr;
  const Tensor& of = tensor(i);
  const bool fits = of.allocation_type == tflite::kReadOnly &&
                    of.type == tflite::kInt32 &&
                    of.bytes == count * sizeof(int32_t);
  return fits ? static_cast<const int32_t*>(of.data) : nullptr;
}

std::vector<std::vector<int>> Graph::connected(
    const std::vector<int>& nodes) const {
  std::vector<std::vector<int>> parts;
  std::map<int, size_t> part_of;  // By tensor.
  for (int index : nodes) {
    const GraphNode& node = nodes_.at(index);
    if (constants_.has(node.output())) continue;
    const size_t part = parts.size();
    parts.push_back({index});
    std::vector<int> tensors{node.output()};
    for (int i = 0; i < node.node->inputs->size; ++i) {
      const int input = node.node->inputs->data[i];
      if (input >= 0 && !constants_.has(input)) tensors.push_back(input);
    }
    for (int tensor : tensors) {
      const auto known = part_of.find(tensor);
      const size_t other = known == part_of.end() ? part : known->second;
      part_of[tensor] = part;
      if (other == part) continue;
      std::vector<int>& moved = parts[other];
      parts[part].insert(parts[part].end(), moved.begin(), moved.end());
      moved.clear();
      for (auto& [_, of] : part_of) {
        if (of == other) of = part;
      }
    }
  }
  std::vector<std::vector<int>> found;
  for (std::vector<int>& part : parts) {
    if (part.empty()) continue;
    // In the order of execution.
    std::vector<int> ordered;
    const std::set<int> members(part.begin(), part.end());
    for (int index : nodes) {
      if (members.count(index)) ordered.push_back(index);
    }
    found.push_back(std::move(ordered));
  }
  return found;
}

bool Graph::is_float(int i) const {
  return i >= 0 && tensor(i).type == tflite::kFloat32;
}

// Whether a tensor is a float image; rows of channels are, of one pixel, if
// they are the means of images, and not what else has two dimensions.
bool Graph::is_image(int i) const {
  return is_new_image(i) && (rank(i) == 4 || extents_.count(i));
}

// Whether a tensor can be a list of pixels, of any shape, channels last.
bool Graph::is_list(int i) const {
  return is_float(i) && !constants_.has(i) && tensor(i).shape &&
         tensor(i).shape->size > 0;
}

// Whether a tensor that a node makes can be an image.
bool Graph::is_new_image(int i) const {
  if (!is_float(i) || constants_.has(i) || !tensor(i).shape) return false;
  return (rank(i) == 4 || rank(i) == 2) && channels(i) > 0 &&
         channels(i) <= kLargestChannels;
}

int Graph::rank(int i) const { return tensor(i).shape->size; }

int Graph::channels(int i) const {
  const IntArray* shape = tensor(i).shape;
  return shape->data[shape->size - 1];
}

Graph::Extent Graph::extent(int i) const {
  const auto known = extents_.find(i);
  return known != extents_.end() ? known->second : extent_in_file(i);
}

// What the file says, without what the nodes before tell.
Graph::Extent Graph::extent_in_file(int i) const {
  const Tensor& of = tensor(i);
  if (rank(i) == 2) return {"1x1", true, true};
  const IntArray* shape = of.shape;
  if (of.shape_signature && of.shape_signature->size == 4) {
    shape = of.shape_signature;
  }
  const int height = shape->data[1], width = shape->data[2];
  const bool is_pixel = height == 1 && width == 1;
  if (height < 0 || width < 0 || (is_pixel && has_placeholders_)) {
    return {"of " + std::to_string(i), false, false};
  }
  return {std::to_string(height) + "x" + std::to_string(width), is_pixel, true};
}

// Why a node cannot be computed, or null; notes the extent of what it makes.
const char* Graph::problem_of(const GraphNode& node) {
  if (node.node->outputs->size != 1) return "it makes more than one tensor";
  const int out = node.output();
  Extent made;
  const char* problem = nullptr;
  switch (node.code) {
    case tflite::kConv2D:
    case tflite::kDepthwiseConv2D:
      problem = problem_of_convolution(node, &made);
      break;
    case tflite::kFullyConnected:
      return problem_of_fully_connected(node);
    case tflite::kAdd:
    case tflite::kMul:
    case tflite::kSub:
      problem = problem_of_arithmetic(node, &made);
      break;
    case tflite::kMinimum:
    case tflite::kMaximum:
    case tflite::kPrelu:
    case tflite::kLogistic:
    case tflite::kLeakyRelu:
    case tflite::kRelu:
    case tflite::kRelu6:
    case tflite::kReluN1To1:
    case tflite::kRelu0To1:
      problem = problem_of_function(node, &made);
      break;
    case tflite::kPad:
    case tflite::kDepthToSpace:
    case tflite::kResizeBilinear:
    case tflite::kResizeNearestNeighbor:
    case tflite::kMean:
      problem = problem_of_shape(node, &made);
      break;
    default:
      return "it is another operator";
  }
  if (problem) return problem;
  const Extent fixed = extent_in_file(out);
  extents_[out] = made.is_known && fixed.is_known ? fixed : made;
  return nullptr;
}

// What convolutions and fully connected layers have in common.
const char* Graph::problem_of_weights(const GraphNode& node) const {
  const int filter = node.input(1), bias = node.input(2);
  if (!constants_.has(filter)) {
    return "its kernel is no constant in float32, float16 or int8";
  }
  if (bias >= 0 && (!constants_.has(bias) ||
                    !is_by_channel(tensor(bias), channels(node.output())))) {
    return "its bias is no constant";
  }
  if (!node.node->parameters || !has_bounds(activation_of(node))) {
    return "its activation is none of the ReLU family";
  }
  return nullptr;
}

const char* Graph::problem_of_convolution(const GraphNode& node,
                                          Extent* made) const {
  const int in = node.input(0), out = node.output();
  if (!is_image(in) || !is_new_image(out) || rank(in) != 4 || rank(out) != 4) {
    return kNoImages;
  }
  if (const char* problem = problem_of_weights(node)) return problem;
  const Window window = window_of(node);
  for (int n : {window.stride.height, window.stride.width,
                window.dilation.height, window.dilation.width}) {
    if (n < 1 || n > kLargestStride) return "its stride or dilation is over 8";
  }
  const IntArray& shape = *tensor(node.input(1)).shape;
  if (shape.size != 4) return "its kernel has no 4 dimensions";
  for (int n : {shape.data[1], shape.data[2]}) {
    if (n < 1 || n > kLargestKernel) return "its kernel is over 255";
  }
  const int inputs = channels(in), outputs = channels(out);
  const int inner = shape.data[3];
  const bool fits =
      node.code == tflite::kConv2D
          ? shape.data[0] == outputs && inner > 0 && inputs % inner == 0 &&
                outputs % (inputs / inner) == 0
          : shape.data[0] == 1 && inner == outputs && outputs % inputs == 0;
  if (!fits) return "its kernel does not fit its channels";
  *made = extent(in);
  if (window.stride != Size{1, 1} || !window.same) {
    made->name = "(" + made->name + " by " +
                 std::to_string(window.stride.height) + " " +
                 std::to_string(window.stride.width) +
                 (window.same ? "" : " of " + std::to_string(out)) + ")";
  }
  return nullptr;
}

// Of an image, it is a convolution; of what else has channels last, it takes
// and makes lists of pixels.
const char* Graph::problem_of_fully_connected(const GraphNode& node) {
  const int in = node.input(0), out = node.output();
  if (!is_list(in) || !is_list(out)) return "it does not compute in float32";
  if (const char* problem = problem_of_weights(node)) return problem;
  const IntArray& shape = *tensor(node.input(1)).shape;
  const bool fits = shape.size == 2 && shape.data[0] == channels(out) &&
                    shape.data[0] <= kLargestChannels &&
                    shape.data[1] == channels(in) && shape.data[1] > 0 &&
                    shape.data[1] <= kLargestChannels;
  if (!fits) return "its kernel does not fit its channels";
  const auto& of = parameters<tflite::FullyConnectedParameters>(node);
  if (rank(out) != (of.keep_dimensions ? rank(in) : 2)) {
    return "it makes what has other dimensions";
  }
  if (is_image(in) && rank(in) == rank(out)) {
    extents_[out] = extent(in);
    return nullptr;
  }
  if (is_image(in)) return "it makes a list of pixels of an image";
  lists_.insert(in);
  lists_.insert(out);
  return nullptr;
}

const char* Graph::problem_of_shape(const GraphNode& node,
                                    Extent* made) const {
  const int in = node.input(0), out = node.output();
  const bool is_mean = node.code == tflite::kMean;
  if (!is_image(in) || !is_new_image(out) || rank(in) != 4 ||
      (rank(out) != 4 && !is_mean)) {
    return kNoImages;
  }
  *made = extent(in);
  if (node.code != tflite::kDepthToSpace && channels(in) != channels(out)) {
    return kOtherChannels;
  }
  if (node.code == tflite::kPad) {
    const int32_t* by = integers_of(node.input(1), 8);
    if (!by || node.node->inputs->size != 2) return "it pads by no constant";
    for (int i = 0; i < 8; ++i) {
      const bool inside = i >= 2 && i < 6;
      if (by[i] < 0 || by[i] > kLargestPadding || (!inside && by[i])) {
        return "it pads not height and width alone, or by more than 64";
      }
    }
    made->name = "(" + made->name + " padded of " + std::to_string(out) + ")";
    made->is_pixel = false;
  } else if (node.code == tflite::kDepthToSpace) {
    const auto* of =
        static_cast<const tflite::DepthToSpaceParameters*>(
            node.node->parameters);
    const int block = of ? of->block_size : 0;
    if (block < 1 || block > kLargestBlock ||
        channels(in) != channels(out) * block * block) {
      return "its block is over 16, or does not divide the channels";
    }
    made->name = "(" + made->name + " times " + std::to_string(block) + ")";
    made->is_pixel = false;
  } else if (is_mean) {
    const int32_t* axes = integers_of(node.input(1), 2);
    const auto is_axis = [&](int axis, int of) {
      return axis == of || axis == of - rank(in);
    };
    const bool fits = axes && ((is_axis(axes[0], 1) && is_axis(axes[1], 2)) ||
                               (is_axis(axes[0], 2) && is_axis(axes[1], 1)));
    if (!fits || !node.node->parameters) {
      return "its mean is not that of height and width";
    }
    if (made->is_pixel) return "its mean is that of one pixel";
    const auto& of = parameters<tflite::ReducerParameters>(node);
    if (rank(out) != (of.keep_dimensions ? 4 : 2)) {
      return "it makes what has other dimensions";
    }
    *made = {"1x1", true, true};
  } else if (factor_of(node) < 1) {
    return "it does not resize a known size by a whole number";
  }
  return nullptr;
}

// By what whole number a resizing node multiplies height and width, or 0.
int Graph::factor_of(const GraphNode& node) const {
  const int in = node.input(0), size = node.input(1);
  if (!node.node->parameters || size < 0) return 0;
  const auto& of = parameters<tflite::ResizeParameters>(node);
  if (of.align_corners) return 0;
  if (node.code == tflite::kResizeBilinear && !of.half_pixel_centers) return 0;
  const IntArray* shape = tensor(in).shape;
  const IntArray* signature = tensor(in).shape_signature;
  const int32_t* to = integers_of(size, 2);
  if (shape->size != 4 || !to) return 0;
  for (int i = 1; signature && i < std::min(signature->size, 3); ++i) {
    if (signature->data[i] < 0) return 0;
  }
  const int64_t factor = shape->data[1] > 0 ? to[0] / shape->data[1] : 0;
  const bool fits = factor >= 1 && factor <= kLargestBlock &&
                    to[0] == factor * shape->data[1] &&
                    to[1] == factor * shape->data[2];
  return fits ? int(factor) : 0;
}

// The operands of a node that takes an image and perhaps a constant.
const char* Graph::problem_of_arithmetic(const GraphNode& node,
                                         Extent* made) const {
  const int out = node.output();
  int a = node.input(0), b = node.input(1);
  if (!is_new_image(out) || !node.node->parameters) {
    return "it makes no image";
  }
  if (!has_bounds(activation_of(node))) {
    return "its activation is none of the ReLU family";
  }
  if (node.code != tflite::kSub && constants_.has(a)) std::swap(a, b);
  if (!is_image(a) || channels(a) != channels(out) || rank(a) != rank(out)) {
    return kOtherChannels;
  }
  *made = extent(a);
  if (constants_.has(b)) {
    return is_by_channel(tensor(b), channels(out)) && rank(b) <= rank(a)
               ? nullptr
               : "its constant is neither one number nor one a channel";
  }
  if (node.code == tflite::kSub) return "it subtracts what is no constant";
  if (!is_image(b) || channels(b) != channels(out) || rank(a) != rank(b)) {
    return kOtherChannels;
  }
  if (tensor(a).shape->data[0] != tensor(b).shape->data[0]) {
    return "its images have different batches";
  }
  const Extent of_b = extent(b);
  if (made->name == of_b.name || of_b.is_pixel) return nullptr;
  if (!made->is_pixel) return "its images may have different sizes";
  *made = of_b;
  return nullptr;
}

// What is done to single values.
const char* Graph::problem_of_function(const GraphNode& node,
                                       Extent* made) const {
  const int out = node.output();
  int a = node.input(0), b = node.input(1);
  const bool is_bound =
      node.code == tflite::kMinimum || node.code == tflite::kMaximum;
  if (is_bound && constants_.has(a)) std::swap(a, b);
  if (!is_image(a) || !is_new_image(out) || channels(a) != channels(out) ||
      rank(a) != rank(out)) {
    return kOtherChannels;
  }
  *made = extent(a);
  if (is_bound) {
    const bool is_number = constants_.has(b) && rank(b) <= rank(a) &&
                           is_by_channel(tensor(b), 1);
    return is_number ? nullptr : "its bound is not one constant number";
  }
  if (node.code == tflite::kPrelu) {
    const bool fits = constants_.has(b) && rank(b) <= rank(a) &&
                      is_by_channel(tensor(b), channels(a));
    return fits ? nullptr : "its slopes are not one a channel";
  }
  if (node.code == tflite::kLogistic && !made->is_pixel) {
    return "it is slow for more than one pixel";
  }
  if (node.code == tflite::kLeakyRelu && !node.node->parameters) {
    return "it has no slope";
  }
  return nullptr;
}

// Makes one network.
class Builder {
 public:
  Builder(const Graph& graph, const std::vector<int>& outputs, Part* part)
      : graph_(graph),
        outputs_(outputs.begin(), outputs.end()),
        part_(part) {}

  std::string build(const std::vector<int>& nodes) {
    for (int index : nodes) {
      const GraphNode& node = graph_.nodes_.at(index);
      const std::string error = add(node);
      if (!error.empty()) return error;
      ++part_->nodes;
    }
    for (int tensor : outputs_) {
      const auto padded = pads_.find(tensor);
      if (padded != pads_.end()) pad(*padded->second);
      const auto value = values_.find(tensor);
      // Those of other parts, and constants.
      if (value == values_.end()) continue;
      Operation output;
      output.kind = Operation::kOutput;
      output.rows = graph_.lists_.count(tensor) > 0;
      output.input = value->second;
      output.tensor = int(part_->outputs.size());
      output.name = "output";
      part_->outputs.push_back(tensor);
      operations().push_back(std::move(output));
    }
    if (!is_consistent()) return "its shapes contradict each other";
    postpone();
    return "";
  }

 private:
  std::vector<Operation>& operations() { return part_->network.operations; }

  int new_value(int channels) {
    part_->network.values.push_back({channels});
    producers_.push_back(int(operations().size()));
    return int(part_->network.values.size()) - 1;
  }

  // The value of a tensor, which may come from outside.
  int value_of(int tensor) {
    const auto known = values_.find(tensor);
    if (known != values_.end()) return known->second;
    Operation input;
    input.kind = Operation::kInput;
    input.rows = graph_.lists_.count(tensor) > 0;
    input.output = new_value(graph_.channels(tensor));
    input.tensor = int(part_->inputs.size());
    input.name = "input";
    part_->inputs.push_back(tensor);
    values_[tensor] = input.output;
    operations().push_back(std::move(input));
    return values_[tensor];
  }

  std::string name_of(const GraphNode& node) const {
    const char* name = graph_.tensor(node.output()).name;
    return name ? name : "";
  }

  // The operation whose result a tensor is, if nothing else needs it as it is
  // and more can be done to it; or null.
  Operation* open(int tensor) {
    const auto value = values_.find(tensor);
    if (value == values_.end() || outputs_.count(tensor)) return nullptr;
    const auto users = graph_.users_.find(tensor);
    if (users == graph_.users_.end() || users->second.size() != 1) {
      return nullptr;
    }
    Operation& of = operations()[producers_[value->second]];
    const bool repeats = part_->network.values[value->second].repeats;
    return of.kind == Operation::kLinear && !repeats ? &of : nullptr;
  }

  // What `open` finds, or a copy of the image to which it can be done.
  Operation& opened(int tensor, const GraphNode& node) {
    Operation* of = open(tensor);
    if (of && (of->block == 1 || node.code != tflite::kDepthToSpace)) {
      values_[node.output()] = of->output;
      return *of;
    }
    Operation copy = copy_of(value_of(tensor), node);
    const int channels = int(copy.bias.size());
    return append(std::move(copy), channels, node);
  }

  Operation copy_of(int value, const GraphNode& node) const {
    Operation copy;
    copy.kind = Operation::kLinear;
    copy.input = value;
    const int channels = part_->network.values[value].channels;
    for (int c = 0; c < channels; ++c) copy.weights.push_back({c, 0, 0, c, 1});
    copy.bias.assign(channels, 0);
    copy.name = name_of(node);
    return copy;
  }

  Operation& append(Operation of, int channels, const GraphNode& node) {
    of.output = new_value(channels);
    values_[node.output()] = of.output;
    operations().push_back(std::move(of));
    return operations().back();
  }

  void clamp(Operation* of, float low, float high) {
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

  void push(Operation* of, Post post) {
    post.shuffled = of->block > 1;
    of->posts.push_back(std::move(post));
  }

  void activate(Operation* of, const GraphNode& node) {
    float low, high;
    bounds_of(activation_of(node), &low, &high);
    clamp(of, low, high);
  }

  std::string by_channel(int tensor, int channels, std::vector<float>* all) {
    Constant constant;
    const std::string error = graph_.read(tensor, &constant);
    if (!error.empty()) return error;
    *all = constant.dense();
    // A copy: what is assigned must not be of the vector itself.
    const float first = all->front();
    if (all->size() == 1) all->assign(channels, first);
    return "";
  }

  std::string add(const GraphNode& node) {
    switch (node.code) {
      case tflite::kConv2D:
      case tflite::kDepthwiseConv2D:
      case tflite::kFullyConnected:
        return add_convolution(node);
      case tflite::kPad:
        pads_[node.output()] = &node;
        return "";
      case tflite::kDepthToSpace: {
        const int block =
            parameters<tflite::DepthToSpaceParameters>(node).block_size;
        Operation& of = opened(node.input(0), node);
        of.block = block;
        part_->network.values[of.output].channels /= block * block;
        return "";
      }
      case tflite::kResizeBilinear:
      case tflite::kResizeNearestNeighbor:
        add_resize(node);
        return "";
      case tflite::kMean: {
        Operation mean;
        mean.kind = Operation::kMean;
        mean.input = value_of(node.input(0));
        mean.name = name_of(node);
        append(std::move(mean), graph_.channels(node.output()), node);
        return "";
      }
    }
    return add_elementwise(node);
  }

  std::string add_convolution(const GraphNode& node) {
    Operation of;
    of.kind = Operation::kLinear;
    of.name = name_of(node);
    int source = node.input(0);
    const auto pad = pads_.find(source);
    if (pad != pads_.end()) {
      source = pad->second->input(0);
      of.padding = padding_of(*pad->second);
    }
    Constant filter;
    const std::string error = graph_.read(node.input(1), &filter);
    if (!error.empty()) return error;
    const int inputs = graph_.channels(source);
    const int outputs = graph_.channels(node.output());
    of.input = value_of(source);
    const Window window = window_of(node);
    of.stride = window.stride;
    of.dilation = window.dilation;
    of.padding.same = window.same;
    const bool is_depthwise = node.code == tflite::kDepthwiseConv2D;
    if (node.code != tflite::kFullyConnected) {
      of.kernel = {filter.shape[1], filter.shape[2]};
    }
    const int columns = of.kernel.width;
    const int inner = filter.shape.back();
    const int groups = is_depthwise ? inputs : inputs / inner;
    for (size_t i = 0; i < filter.places.size(); ++i) {
      int64_t place = filter.places[i];
      Nonzero weight;
      weight.value = filter.values[i];
      weight.channel = int(place % inner);
      place /= inner;
      weight.column = int(place % columns);
      place /= columns;
      weight.row = int(place % of.kernel.height);
      weight.output = int(place / of.kernel.height);
      if (is_depthwise) {
        weight.output = weight.channel;
        weight.channel = weight.output / (outputs / inputs);
      } else {
        weight.channel += weight.output / (outputs / groups) * inner;
      }
      of.weights.push_back(weight);
    }
    std::sort(of.weights.begin(), of.weights.end(),
              [](const Nonzero& a, const Nonzero& b) {
                return std::tie(a.output, a.row, a.channel, a.column) <
                       std::tie(b.output, b.row, b.channel, b.column);
              });
    of.dense = double(filter.size());
    if (graph_.tensor(node.input(1)).type == tflite::kInt8) {
      of.dense_speed = kInt8Speed;
    }
    of.bias.assign(outputs, 0);
    if (node.input(2) >= 0) {
      const std::string error = by_channel(node.input(2), outputs, &of.bias);
      if (!error.empty()) return error;
    }
    activate(&append(std::move(of), outputs, node), node);
    return "";
  }

  // Padding of an image, which is an output too, by a kernel of one pixel.
  void pad(const GraphNode& node) {
    Operation of = copy_of(value_of(node.input(0)), node);
    of.padding = padding_of(node);
    append(std::move(of), graph_.channels(node.output()), node);
  }

  Padding padding_of(const GraphNode& pad) const {
    const int32_t* by = graph_.integers_of(pad.input(1), 8);
    return {false, by[2], by[3], by[4], by[5]};
  }

  // Resizing by a whole number is a convolution that makes all pixels that
  // come of one, and DEPTH_TO_SPACE.
  void add_resize(const GraphNode& node) {
    const int factor = graph_.factor_of(node);
    const int channels = graph_.channels(node.output());
    const bool is_bilinear = node.code == tflite::kResizeBilinear;
    int source = value_of(node.input(0));
    if (is_bilinear) {
      Operation& copy = copied(node.input(0), node);
      source = copy.output;
      part_->network.values[source].repeats = true;
    }
    Operation of;
    of.kind = Operation::kLinear;
    of.name = name_of(node);
    of.input = source;
    of.block = factor;
    const int side = is_bilinear ? 3 : 1;
    of.kernel = {side, side};
    if (is_bilinear) of.padding = {false, 1, 1, 1, 1};
    of.bias.assign(factor * factor * channels, 0);
    const auto weight = [&](int place, int at) {
      if (!is_bilinear) return 1.0f;
      const float from = (place + 0.5f) / factor - 0.5f;
      return std::max(0.0f, 1 - std::abs(from - (at - 1)));
    };
    for (int o = 0; o < int(of.bias.size()); ++o) {
      const int place = o / channels;
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
          const float value =
              weight(place / factor, y) * weight(place % factor, x);
          if (value) of.weights.push_back({o, y, x, o % channels, value});
        }
      }
    }
    const int32_t* to = graph_.integers_of(node.input(1), 2);
    of.expected = {to[0], to[1]};
    append(std::move(of), channels, node);
  }

  std::string add_elementwise(const GraphNode& node) {
    int a = node.input(0), b = node.input(1);
    const bool has_two = node.code == tflite::kAdd ||
                         node.code == tflite::kMul ||
                         node.code == tflite::kMinimum ||
                         node.code == tflite::kMaximum;
    if (has_two && graph_.constants_.has(a)) std::swap(a, b);
    const bool is_constant = b >= 0 && graph_.constants_.has(b);
    if (has_two && !is_constant) {
      add_two(node, a, b);
      return "";
    }
    const int channels = graph_.channels(node.output());
    std::vector<float> numbers;
    if (is_constant) {
      const std::string error = by_channel(b, channels, &numbers);
      if (!error.empty()) return error;
    }
    Operation& of = opened(a, node);
    switch (node.code) {
      case tflite::kMul:
        scale(&of, numbers, std::vector<float>(channels, 0));
        break;
      case tflite::kSub:
        for (float& number : numbers) number = -number;
        [[fallthrough]];
      case tflite::kAdd:
        scale(&of, std::vector<float>(channels, 1), numbers);
        break;
      case tflite::kMinimum:
        clamp(&of, -kInfinity, numbers[0]);
        break;
      case tflite::kMaximum:
        clamp(&of, numbers[0], kInfinity);
        break;
      case tflite::kRelu0To1:
        clamp(&of, 0, 1);
        break;
      case tflite::kPrelu:
      case tflite::kLeakyRelu: {
        Post post;
        post.kind = kLeaky;
        post.a = numbers;
        if (node.code == tflite::kLeakyRelu) {
          const auto& leaky = parameters<tflite::LeakyReluParameters>(node);
          post.a.assign(channels, leaky.alpha);
        }
        push(&of, std::move(post));
        break;
      }
      case tflite::kLogistic: {
        Post post;
        post.kind = kLogistic;
        push(&of, std::move(post));
        break;
      }
    }
    activate(&of, node);
    return "";
  }

  // Multiplies by `a` and adds `b`, by channel.
  void scale(Operation* of, std::vector<float> a, std::vector<float> b) {
    if (!of->posts.empty()) {
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

  // Combines two images. What is done is done to the later one, when the
  // other is there; of an image and a pixel, to the image.
  void add_two(const GraphNode& node, int a, int b) {
    value_of(a);
    value_of(b);
    const bool a_is_pixel = graph_.extent(a).is_pixel;
    const bool b_is_pixel = graph_.extent(b).is_pixel;
    const int place_a = producers_[values_[a]];
    const int place_b = producers_[values_[b]];
    bool swap = place_b > place_a && open(b);
    if (a_is_pixel != b_is_pixel) swap = a_is_pixel;
    if (swap) std::swap(a, b);
    Post post;
    post.kind = node.code == tflite::kAdd ? kAdd : kMultiply;
    post.value = values_[b];
    // It must be there before what it is added to.
    const bool is_there = producers_[values_[b]] < producers_[values_[a]];
    Operation& of = is_there ? opened(a, node) : copied(a, node);
    push(&of, std::move(post));
    activate(&of, node);
  }

  // A copy of an image, even if nothing else needs it.
  Operation& copied(int tensor, const GraphNode& node) {
    const std::set<int> outputs = outputs_;
    outputs_.insert(tensor);
    Operation& of = opened(tensor, node);
    outputs_ = outputs;
    return of;
  }

  // Whether no weight and no other image reaches beyond a channel, whatever the
  // file says of shapes.
  bool is_consistent() const {
    const std::vector<Value>& values = part_->network.values;
    for (const Operation& of : part_->network.operations) {
      if (of.kind != Operation::kLinear) continue;
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
  void postpone() {
    std::vector<Operation>& all = operations();
    const auto uses = [](const Operation& of, int value) {
      return of.input == value ||
             std::any_of(of.posts.begin(), of.posts.end(),
                         [&](const Post& post) { return post.value == value; });
    };
    for (size_t i = all.size(); i-- > 0;) {
      if (!enlarges(all[i])) continue;
      size_t user = i + 1;
      while (user < all.size() && !uses(all[user], all[i].output)) ++user;
      std::rotate(all.begin() + i, all.begin() + i + 1, all.begin() + user);
    }
  }

  bool enlarges(const Operation& of) const {
    if (of.kind != Operation::kLinear) return false;
    const std::vector<Value>& values = part_->network.values;
    return of.block * of.block * values[of.output].channels >
           of.stride.height * of.stride.width * values[of.input].channels;
  }

  const Graph& graph_;
  std::set<int> outputs_;
  Part* part_;
  std::map<int, int> values_;  // By tensor.
  std::vector<int> producers_;  // Operations, by value.
  std::map<int, const GraphNode*> pads_;
};

std::string Graph::build(const std::vector<int>& nodes,
                         const std::vector<int>& outputs, Part* part) const {
  return Builder(*this, outputs, part).build(nodes);
}

}  // namespace issp
