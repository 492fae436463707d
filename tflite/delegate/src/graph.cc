#include "graph.h"

#include <algorithm>

#include "operators.h"

namespace issp {
namespace {

using tflite::IntArray;
using tflite::new_array;
using tflite::Tensor;
using tflite::to_vector;

bool is_same_shape(const Tensor& a, const Tensor& b) {
  return a.shape && b.shape && a.shape->size == b.shape->size &&
         std::equal(a.shape->data, a.shape->data + a.shape->size,
                    b.shape->data);
}

}  // namespace

Graph::Graph(tflite::Context* context, std::string* error, bool knows_sizes)
    : context_(context), tensors_(*context) {
  IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != tflite::kOk || !plan) {
    *error = "the runtime has no execution plan";
    return;
  }
  *error = tensors_.find_constants();
  if (!error->empty()) return;
  const std::vector<int> order = to_vector(plan);
  if (!read_nodes(order, error)) return;
  if (!read_outputs(order)) {
    *error = "the runtime cannot split the graph";
    return;
  }
  if (!knows_sizes) find_placeholders();
  find_supported(order);
}

std::vector<int> Graph::users(int tensor) const {
  const auto found = users_.find(tensor);
  return found == users_.end() ? std::vector<int>() : found->second;
}

// Reads the nodes, the users of tensors, and the constants.
bool Graph::read_nodes(const std::vector<int>& order, std::string* error) {
  std::set<int> seen;  // Tensors that earlier nodes make or use.
  for (int index : order) {
    tflite::Node* node = nullptr;
    tflite::Registration* registration = nullptr;
    if (context_->get_node_and_registration(context_, index, &node,
                                            &registration) != tflite::kOk) {
      *error = "the runtime does not know its own nodes";
      return false;
    }
    // Nodes of other delegates use tensors too.
    for (int i = 0; i < node->inputs->size; ++i) {
      users_[node->inputs->data[i]].push_back(index);
      seen.insert(node->inputs->data[i]);
    }
    bool is_late = false;
    for (int i = 0; i < node->outputs->size; ++i) {
      const bool is_new = seen.insert(node->outputs->data[i]).second;
      is_late = is_late || !is_new;
    }
    if (node->delegate || node->outputs->size < 1) continue;
    const GraphNode of{index, registration->operator_code, node, is_late};
    nodes_.emplace(index, of);
    if (is_late) continue;
    const bool unpacks =
        of.code == tflite::kDensify || of.code == tflite::kDequantize;
    // A file could give the unpacked tensor a wrong shape.
    if (unpacks && of.output() >= 0 && tensors_.is_constant(of.input(0)) &&
        is_same_shape(tensors_.at(of.input(0)), tensors_.at(of.output())) &&
        (tensors_.is_float(of.output()) || of.code == tflite::kDensify)) {
      tensors_.add_constant(of.output(), of.input(0));
    }
    if (gathers_constant(of)) {
      tensors_.add_gathered(of.output(), of.input(0), of.input(1));
    }
  }
  return true;
}

// Whether a node gathers values of a constant, and has the right shape.
bool Graph::gathers_constant(const GraphNode& node) const {
  const int values = node.input(0), indices = node.input(1);
  const int out = node.output();
  if (node.code != tflite::kGather || !node.node->parameters || out < 0 ||
      values < 0 || indices < 0 || !tensors_.is_constant(values) ||
      !tensors_.is_float(out)) {
    return false;
  }
  const auto& of = node.parameters<tflite::GatherParameters>();
  const Tensor& places = tensors_.at(indices);
  const IntArray* from = tensors_.at(values).shape;
  const IntArray* made = tensors_.at(out).shape;
  if (of.axis || of.batch_dimensions || !from || !made || !places.shape ||
      places.allocation_type != tflite::kReadOnly || !places.data ||
      places.type != tflite::kInt32 || from->size < 1) {
    return false;
  }
  std::vector<int> expected = to_vector(places.shape);
  expected.insert(expected.end(), from->data + 1, from->data + from->size);
  return expected == to_vector(made);
}

// The outputs of the graph are those of a part with all nodes.
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
    const bool is_image = i >= 0 && !made.count(i) &&
                          tensors_.is_new_image(i) && tensors_.rank(i) == 4;
    if (!is_image) continue;
    ++images;
    const int* shape = tensors_.at(i).shape->data;
    if (shape[1] == 1 && shape[2] == 1) ++pixels;
  }
  tensors_.set_placeholders(images > 0 && images == pixels);
}

void Graph::find_supported(const std::vector<int>& order) {
  std::set<int> known;
  std::set<int> left;
  // A node that moves numbers is known only if all its users are.
  do {
    known = known_nodes(order, left);
  } while (leave_movers(order, known, &left));
  for (const auto& [index, node] : nodes_) {
    const Operator* of = find_operator(node, tensors_);
    if (of && of->role == Operator::kPads && known.count(index) &&
        !is_convolved(node.output(), known)) {
      known.erase(index);
      problems_[index] = "it pads an image that no known node convolves";
    }
  }
  for (int index : order) {
    if (known.count(index)) supported_.push_back(index);
  }
}

// The nodes that can be computed, except those in `left`.
std::set<int> Graph::known_nodes(const std::vector<int>& order,
                                 const std::set<int>& left) {
  std::set<int> known;
  tensors_.forget();
  for (int index : order) {
    const auto node = nodes_.find(index);
    if (node == nodes_.end()) continue;
    const int output = node->second.output();
    if (node->second.is_late) {
      problems_[index] = "an earlier node makes or uses its output";
    } else if (tensors_.is_constant(output)) {
      if (!outputs_.count(output)) known.insert(index);
    } else if (left.count(index)) {
      problems_[index] = "its output is used by a node that is not taken";
    } else if (const char* problem = problem_of(node->second)) {
      problems_[index] = problem;
    } else {
      known.insert(index);
      problems_.erase(index);
    }
  }
  return known;
}

// Adds to `left` the nodes whose results only known nodes can use, if other
// nodes use them. Returns whether there are any.
bool Graph::leave_movers(const std::vector<int>& order, std::set<int> known,
                         std::set<int>* left) const {
  const size_t before = left->size();
  for (size_t i = order.size(); i-- > 0;) {
    if (!known.count(order[i])) continue;
    for (int output : to_vector(nodes_.at(order[i]).node->outputs)) {
      if (!tensors_.is_symbol(output) && !tensors_.is_rearranged(output)) {
        continue;
      }
      bool is_taken = !outputs_.count(output);
      for (int user : users(output)) {
        is_taken = is_taken && known.count(user) > 0;
      }
      if (is_taken) continue;
      known.erase(order[i]);
      left->insert(order[i]);
    }
  }
  return left->size() > before;
}

// Only a convolution can use a padded image.
bool Graph::is_convolved(int tensor, const std::set<int>& known) const {
  const std::vector<int> all = users(tensor);
  return !all.empty() && std::all_of(all.begin(), all.end(), [&](int user) {
    const auto node = nodes_.find(user);
    if (node == nodes_.end() || !known.count(user)) return false;
    const Operator* of = find_operator(node->second, tensors_);
    return of && of->role == Operator::kConvolves;
  });
}

// Why a node cannot be computed, or null. Records the extent of its result.
const char* Graph::problem_of(const GraphNode& node) {
  if (node.node->outputs->size != 1 && node.code != tflite::kSplit) {
    return "it makes more than one tensor";
  }
  for (int output : to_vector(node.node->outputs)) {
    if (output < 0) return "it makes nothing";
  }
  const Operator* of = find_operator(node, tensors_);
  if (!of) return "it is another operator";
  if (const char* problem = problem_of_types(node, *of)) return problem;
  int rearranged = -1;
  for (int input : to_vector(node.node->inputs)) {
    if (input >= 0 && tensors_.is_rearranged(input)) rearranged = input;
  }
  const bool keeps = is_pixelwise(node, *of, tensors_);
  if (rearranged >= 0 && !keeps && of->role != Operator::kMoves) {
    return "its pixels are in another order than those of an image";
  }
  Extent made;
  if (const char* problem = of->check(node, &tensors_, &made)) return problem;
  if (rearranged >= 0 && keeps && of->role != Operator::kMoves) {
    View view =
        tensors_.view(rearranged)->with_channels(
            tensors_.channels(node.output()));
    view.source = node.output();
    tensors_.set_view(node.output(), std::move(view));
    return nullptr;
  }
  if (made.name.empty()) return nullptr;
  const Extent fixed = tensors_.extent_in_file(node.output());
  tensors_.set_extent(node.output(),
                      made.is_known && fixed.is_known ? fixed : made);
  return nullptr;
}

// Why the operator does not support the node's tensors in int8, or null.
const char* Graph::problem_of_types(const GraphNode& node,
                                    const Operator& of) const {
  const int out = node.output();
  if (out < 0) return "it makes nothing";
  bool has_int8 = tensors_.is_int8(out), has_float = tensors_.is_float(out);
  for (int i = 0; i < node.node->inputs->size; ++i) {
    const int in = node.input(i);
    if (in < 0 || tensors_.is_constant(in)) continue;
    if (tensors_.at(in).type == tflite::kInt16) {
      return "its images are int16, and float32 or int8 is expected";
    }
    has_int8 = has_int8 || tensors_.is_int8(in);
    has_float = has_float || tensors_.is_float(in);
  }
  if (!has_int8 || of.int8 == Operator::kConverts) return nullptr;
  if (of.int8 == Operator::kNone) return "it is not computed in int8";
  if (has_float) return "it takes one type and makes another";
  for (int i = 0; of.int8 == Operator::kSame && i < node.node->inputs->size;
       ++i) {
    const int in = node.input(i);
    if (in < 0 || !tensors_.is_int8(in)) continue;
    if (!tensors_.is_int8(out) ||
        !(tensors_.quantization(in) == tensors_.quantization(out))) {
      return "its numbers in int8 have other scales than those it takes";
    }
  }
  return nullptr;
}

std::vector<int> Graph::unpackers_without_users(
    const std::set<int>& kept) const {
  std::vector<int> found;
  // Unpacking nodes come before their users.
  std::set<int> left = kept;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    const int output = node->second.output();
    if (!left.count(node->first) || !tensors_.is_constant(output)) continue;
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

std::vector<std::vector<int>> Graph::connected(
    const std::vector<int>& nodes) const {
  std::vector<std::vector<int>> parts;
  std::map<int, size_t> part_of;  // By tensor.
  for (int index : nodes) {
    const GraphNode& node = nodes_.at(index);
    if (tensors_.is_constant(node.output())) continue;
    const size_t part = parts.size();
    parts.push_back({index});
    std::vector<int> tensors = to_vector(node.node->outputs);
    for (int i = 0; i < node.node->inputs->size; ++i) {
      const int input = node.node->inputs->data[i];
      if (input >= 0 && !tensors_.is_constant(input)) tensors.push_back(input);
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

}  // namespace issp
