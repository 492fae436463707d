#include "graph_copy.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "operator_names.h"

namespace issp {

using tflite::IntArray;

int bytes_of_type(int type) {
  switch (type) {
    case tflite::kFloat32:
    case tflite::kInt32:
      return 4;
    case tflite::kInt64:
      return 8;
    case tflite::kFloat16:
    case tflite::kInt16:
      return 2;
    case tflite::kInt8:
    case tflite::kUint8:
    case tflite::kBool:
      return 1;
    default:
      return 0;
  }
}

GraphCopy::GraphCopy(const GraphCopy& of)
    : tensors_(of.tensors_),
      nodes_(of.nodes_),
      registrations_(of.registrations_) {
  finish(of.inputs_, of.outputs_);
}

void GraphCopy::set_plan(const std::vector<int>& nodes) {
  plan_ = keep(nodes);
  whole_.nodes_to_replace = plan_;
}

void GraphCopy::set_shape(int tensor, const std::vector<int>& shape) {
  tensors_[tensor].shape = keep(shape);
  // Open sizes of the file are known now.
  tensors_[tensor].shape_signature = nullptr;
}

void GraphCopy::set_constant(int tensor, const void* data, size_t bytes) {
  tensors_[tensor].allocation_type = tflite::kReadOnly;
  tensors_[tensor].data = keep(data, bytes);
  tensors_[tensor].bytes = bytes;
}

std::string GraphCopy::operator_name(int i) const {
  const char* custom = registrations_[i].custom_name;
  return custom ? custom : name_of_operator(code(i));
}

void GraphCopy::add(const tflite::Node& node, int code,
                    const char* custom_name) {
  tflite::Registration registration{};
  registration.operator_code = code;
  registration.custom_name = custom_name;
  nodes_.push_back(node);
  registrations_.push_back(registration);
}

void GraphCopy::finish(const std::vector<int>& inputs,
                       const std::vector<int>& outputs) {
  inputs_ = inputs;
  outputs_ = outputs;
  context_.tensor_count = tensors_.size();
  context_.tensors = tensors_.data();
  context_.implementation = this;
  context_.get_execution_plan = get_plan;
  context_.get_node_and_registration = get_node;
  context_.preview_partitioning = preview;
  whole_.input_tensors = keep(inputs);
  whole_.output_tensors = keep(outputs);
  std::vector<int> all(nodes_.size());
  std::iota(all.begin(), all.end(), 0);
  set_plan(all);
}


char* GraphCopy::keep(const void* data, size_t bytes) {
  // An empty array also needs an address.
  memory_.push_back(std::make_unique<char[]>(std::max(bytes, size_t{1})));
  if (bytes) std::memcpy(memory_.back().get(), data, bytes);
  return memory_.back().get();
}

IntArray* GraphCopy::keep(const std::vector<int>& numbers) {
  std::vector<int> array{int(numbers.size())};
  array.insert(array.end(), numbers.begin(), numbers.end());
  array.resize(std::max(array.size(), sizeof(IntArray) / sizeof(int)));
  return reinterpret_cast<IntArray*>(
      keep(array.data(), array.size() * sizeof(int)));
}

tflite::FloatArray* GraphCopy::keep(const std::vector<float>& numbers) {
  // Stores the bits of the numbers.
  std::vector<int> bits(numbers.size());
  if (!bits.empty()) {
    std::memcpy(bits.data(), numbers.data(), bits.size() * sizeof(int));
  }
  return reinterpret_cast<tflite::FloatArray*>(keep(bits));
}

int GraphCopy::get_plan(tflite::Context* context, IntArray** plan) {
  *plan = of(context).plan_;
  return tflite::kOk;
}

int GraphCopy::get_node(tflite::Context* context, int index,
                        tflite::Node** node,
                        tflite::Registration** registration) {
  GraphCopy& graph = of(context);
  *node = &graph.nodes_[index];
  *registration = &graph.registrations_[index];
  return tflite::kOk;
}

// Reports all nodes as one part.
int GraphCopy::preview(tflite::Context* context, const IntArray*,
                       tflite::DelegateParameters** parts, int* count) {
  *parts = &of(context).whole_;
  *count = 1;
  return tflite::kOk;
}

bool is_stored(const tflite::Tensor& tensor) {
  return tensor.data && (tensor.allocation_type == tflite::kReadOnly ||
                         tensor.allocation_type == tflite::kPersistentReadOnly);
}

std::unique_ptr<GraphCopy> copy_graph(tflite::Context* context) {
  IntArray* plan = nullptr;
  tflite::DelegateParameters* parts = nullptr;
  int count = 0;
  if (context->get_execution_plan(context, &plan) != tflite::kOk || !plan ||
      !plan->size ||
      context->preview_partitioning(context, plan, &parts, &count) !=
          tflite::kOk ||
      count != 1) {
    return nullptr;
  }
  auto copy = std::make_unique<GraphCopy>();
  for (size_t i = 0; i < context->tensor_count; ++i) {
    copy->add(context->tensors[i]);
  }
  // Inputs of the part may include constants.
  std::vector<int> inputs;
  for (int input : tflite::to_vector(parts->input_tensors)) {
    if (input >= 0 && !is_stored(context->tensors[input])) {
      inputs.push_back(input);
    }
  }
  const std::vector<int> outputs = tflite::to_vector(parts->output_tensors);
  for (int index : tflite::to_vector(plan)) {
    tflite::Node* node = nullptr;
    tflite::Registration* registration = nullptr;
    if (context->get_node_and_registration(context, index, &node,
                                           &registration) != tflite::kOk ||
        node->delegate) {
      return nullptr;
    }
    copy->add(*node, registration->operator_code);
  }
  copy->finish(inputs, outputs);
  return copy;
}

}  // namespace issp
