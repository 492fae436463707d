#include "fake_runtime.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "kernels.h"
#include "testing.h"

namespace issp::testing {
namespace {

// Room for the errors of an interpreter.
constexpr size_t kErrorBytes = 1 << 14;

using tflite::Context;
using tflite::IntArray;
using tflite::Node;
using tflite::Registration;
using tflite::Tensor;

// The interpreter computes nodes of the model. This is never called.
int compute_nothing(Context*, Node*) { return tflite::kError; }

Shape shape_of_tensor(const Tensor& tensor) { return to_vector(tensor.shape); }

}  // namespace

int Model::input(Shape shape, bool is_dynamic) {
  Variable variable;
  variable.array.shape = std::move(shape);
  variable.is_dynamic = is_dynamic;
  tensors.push_back(std::move(variable));
  inputs.push_back(int(tensors.size()) - 1);
  return inputs.back();
}

int Model::constant(Array array, const Encoding& encoding) {
  Variable variable;
  // The reference uses the same rounded values as the stored constant.
  Stored(encoding, &array);
  variable.array = std::move(array);
  variable.is_constant = true;
  variable.encoding = encoding;
  tensors.push_back(std::move(variable));
  return int(tensors.size()) - 1;
}

int Model::integers(const std::vector<int>& numbers) {
  Variable variable;
  variable.array.shape = {int(numbers.size())};
  variable.array.values.assign(numbers.begin(), numbers.end());
  variable.is_constant = true;
  variable.integers = numbers;
  tensors.push_back(std::move(variable));
  return int(tensors.size()) - 1;
}

int Model::unpacked(Array array, const Encoding& encoding) {
  int tensor = constant(std::move(array), encoding);
  if (encoding.is_sparse()) tensor = node(tflite::kDensify, {tensor});
  const bool is_float = encoding.type == tflite::kFloat32;
  return is_float ? tensor : node(tflite::kDequantize, {tensor});
}

int Model::add(int code, const std::vector<int>& inputs,
               const void* parameters, size_t bytes, int outputs) {
  Layer layer;
  layer.code = code;
  layer.inputs = inputs;
  const char* begin = static_cast<const char*>(parameters);
  layer.parameters.assign(begin, begin + bytes);
  std::vector<const Array*> arrays;
  Variable made;
  for (int input : inputs) {
    arrays.push_back(&tensors[input].array);
    made.is_dynamic = made.is_dynamic || tensors[input].is_dynamic;
  }
  if (code == tflite::kMean) made.is_dynamic = false;
  if (code == tflite::kDensify) {
    made.encoding.type = tensors[inputs[0]].encoding.type;
  }
  std::vector<Shape> shapes;
  for (int i = 0; i < outputs; ++i) {
    shapes.push_back(
        shape_of(code, layer.parameters.data(), arrays, i, outputs));
  }
  for (const Shape& shape : shapes) {
    made.array.shape = shape;
    tensors.push_back(made);
    layer.outputs.push_back(int(tensors.size()) - 1);
  }
  layers.push_back(std::move(layer));
  return layers.back().outputs[0];
}

std::map<int, Array> evaluate(const Model& model,
                              const std::map<int, Array>& inputs,
                              bool rounds) {
  std::map<int, Array> all = inputs;
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    if (model.tensors[i].is_constant) all[int(i)] = model.tensors[i].array;
  }
  for (const Model::Layer& layer : model.layers) {
    std::vector<const Array*> arrays;
    for (int input : layer.inputs) arrays.push_back(&all.at(input));
    const int outputs = int(layer.outputs.size());
    for (int i = 0; i < outputs; ++i) {
      Array& made = all[layer.outputs[size_t(i)]];
      made = compute(layer.code, layer.parameters.data(), arrays, i, outputs);
      for (double& value : made.values) {
        if (rounds) value = float(value);
      }
    }
  }
  return all;
}

Interpreter::Interpreter(const Model& model) : model_(model) {
  errors_.reserve(kErrorBytes);
  const size_t count = model.tensors.size();
  tensors_.resize(count);
  shapes_.resize(count);
  signatures_.resize(count);
  memory_.resize(count);
  for (size_t i = 0; i < count; ++i) names_.push_back("t" + std::to_string(i));
  for (size_t i = 0; i < count; ++i) {
    const Model::Variable& variable = model.tensors[i];
    Tensor& tensor = tensors_[i];
    tensor = {};
    tensor.name = names_[i].c_str();
    tensor.buffer_handle = -1;
    set_shape(int(i), variable.array.shape);
    if (!variable.integers.empty()) {
      tensor.type = tflite::kInt32;
      tensor.bytes = sizeof(int) * variable.integers.size();
      memory_[i] = new_memory(tensor.bytes);
      std::memcpy(memory_[i].get(), variable.integers.data(), tensor.bytes);
      tensor.data = memory_[i].get();
      tensor.allocation_type = tflite::kReadOnly;
    } else if (variable.is_constant) {
      Array array = variable.array;
      stored_.emplace_back(variable.encoding, &array);
      stored_.back().fill(&tensor);
    } else {
      tensor.type = variable.encoding.type;
      tensor.allocation_type = 2;
      std::vector<int> signature = variable.array.shape;
      if (variable.is_dynamic && signature.size() == 4) {
        signature[1] = signature[2] = -1;
      }
      signatures_[i] = new_integers(signature);
      tensor.shape_signature = signatures_[i].get();
    }
  }
  for (const Model::Layer& layer : model.layers) {
    Registration registration{};
    registration.operator_code = layer.code;
    registration.version = 1;
    registration.invoke = compute_nothing;
    const int index = add_node(registration, layer.inputs, layer.outputs);
    if (!layer.parameters.empty()) {
      parameters_.push_back(new_memory(layer.parameters.size()));
      std::memcpy(parameters_.back().get(), layer.parameters.data(),
                  layer.parameters.size());
      nodes_[index]->parameters = parameters_.back().get();
    }
    plan_.push_back(index);
  }
  context_.tensor_count = count;
  context_.tensors = tensors_.data();
  context_.implementation = this;
  context_.recommended_threads = 1;
  context_.get_execution_plan = get_plan;
  context_.get_node_and_registration = get_node;
  context_.preview_partitioning = preview;
  context_.replace_node_subsets = replace;
  context_.resize_tensor = resize_tensor;
  context_.report_error = report;
}

Interpreter::~Interpreter() {
  // If memory is missing, the last node may have no registration.
  for (size_t i = 0; i < registrations_.size(); ++i) {
    if (registrations_[i]->free) {
      registrations_[i]->free(&context_, nodes_[i]->user_data);
    }
  }
}

int Interpreter::add_node(const Registration& registration,
                          const std::vector<int>& inputs,
                          const std::vector<int>& outputs) {
  nodes_.push_back(std::make_unique<Node>());
  Node& node = *nodes_.back();
  node = {};
  arrays_.push_back(new_integers(inputs));
  node.inputs = arrays_.back().get();
  arrays_.push_back(new_integers(outputs));
  node.outputs = arrays_.back().get();
  registrations_.push_back(std::make_unique<Registration>(registration));
  return int(nodes_.size()) - 1;
}

int Interpreter::get_plan(Context* context, IntArray** plan) {
  Interpreter& self = of(context);
  self.plan_array_ = new_integers(self.plan_);
  *plan = self.plan_array_.get();
  return tflite::kOk;
}

int Interpreter::get_node(Context* context, int index, Node** node,
                          Registration** registration) {
  Interpreter& self = of(context);
  if (index < 0 || index >= int(self.nodes_.size())) return tflite::kError;
  *node = self.nodes_[index].get();
  *registration = self.registrations_[index].get();
  return tflite::kOk;
}

// Partitions like TFLite. Each part has as many ready nodes of one kind as
// possible.
std::vector<Interpreter::Part> Interpreter::partition(const IntArray* chosen) {
  const std::vector<int> list = to_vector(chosen);
  const std::set<int> of_delegate(list.begin(), list.end());
  std::set<int> missing;  // Tensors that are not computed yet.
  for (int index : plan_) {
    for (int t : to_vector(nodes_[index]->outputs)) missing.insert(t);
  }
  std::vector<Part> parts;
  std::set<int> left(plan_.begin(), plan_.end());
  while (!left.empty()) {
    Part part;
    bool has_kind = false;
    for (int index : plan_) {
      if (!left.count(index)) continue;
      bool is_ready = true;
      for (int t : to_vector(nodes_[index]->inputs)) {
        is_ready = is_ready && !missing.count(t);
      }
      const bool is_chosen = of_delegate.count(index) > 0;
      if (!is_ready || (has_kind && is_chosen != part.is_chosen)) continue;
      has_kind = true;
      part.is_chosen = is_chosen;
      part.nodes.push_back(index);
      left.erase(index);
      for (int t : to_vector(nodes_[index]->outputs)) missing.erase(t);
    }
    if (part.nodes.empty()) return {};  // A cycle.
    parts.push_back(std::move(part));
  }
  std::map<int, size_t> maker;
  std::map<int, std::set<size_t>> users;
  for (size_t p = 0; p < parts.size(); ++p) {
    for (int index : parts[p].nodes) {
      for (int t : to_vector(nodes_[index]->outputs)) maker[t] = p;
      for (int t : to_vector(nodes_[index]->inputs)) users[t].insert(p);
    }
  }
  for (size_t p = 0; p < parts.size(); ++p) {
    Part& part = parts[p];
    for (const auto& [t, by] : users) {
      const auto made = maker.find(t);
      const bool is_inside = made != maker.end() && made->second == p;
      if (by.count(p) && !is_inside && t >= 0) part.inputs.push_back(t);
    }
    for (const auto& [t, by] : maker) {
      if (by != p) continue;
      std::set<size_t> others = users[t];
      others.erase(p);
      const bool is_output = std::count(model_.outputs.begin(),
                                        model_.outputs.end(), t) > 0;
      if (is_output || !others.empty()) part.outputs.push_back(t);
    }
    part.arrays.push_back(new_integers(part.nodes));
    part.parameters.nodes_to_replace = part.arrays.back().get();
    part.arrays.push_back(new_integers(part.inputs));
    part.parameters.input_tensors = part.arrays.back().get();
    part.arrays.push_back(new_integers(part.outputs));
    part.parameters.output_tensors = part.arrays.back().get();
  }
  return parts;
}

int Interpreter::preview(Context* context, const IntArray* nodes,
                         tflite::DelegateParameters** partitions, int* count) {
  Interpreter& self = of(context);
  self.previewed_ = self.partition(nodes);
  if (self.previewed_.empty() && !self.plan_.empty()) return tflite::kError;
  self.previewed_parameters_.clear();
  for (const Part& part : self.previewed_) {
    if (part.is_chosen) self.previewed_parameters_.push_back(part.parameters);
  }
  *partitions = self.previewed_parameters_.data();
  *count = int(self.previewed_parameters_.size());
  return tflite::kOk;
}

int Interpreter::replace(Context* context, Registration registration,
                         const IntArray* nodes, tflite::Delegate* delegate) {
  Interpreter& self = of(context);
  std::vector<int> plan;
  for (Part& part : self.partition(nodes)) {
    if (!part.is_chosen) {
      plan.insert(plan.end(), part.nodes.begin(), part.nodes.end());
      continue;
    }
    part.parameters.delegate = delegate;
    const int index = self.add_node(registration, part.inputs, part.outputs);
    Node& node = *self.nodes_[index];
    node.delegate = delegate;
    node.user_data = registration.init(
        context, reinterpret_cast<const char*>(&part.parameters), 0);
    plan.push_back(index);
  }
  self.plan_ = plan;
  return tflite::kOk;
}

int Interpreter::resize_tensor(Context* context, Tensor* tensor,
                               IntArray* shape) {
  const Integers owned(shape);
  if (tensor->allocation_type == tflite::kReadOnly) return tflite::kError;
  Interpreter& self = of(context);
  self.set_shape(int(tensor - self.tensors_.data()), to_vector(shape));
  return tflite::kOk;
}

void Interpreter::report(Context* context, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  // TFLite prints errors, which needs no memory.
  std::string& errors = of(context).errors_;
  const size_t room = errors.capacity() - errors.size();
  errors.append(text, std::min(std::strlen(text), room));
}

bool Interpreter::apply(tflite::Delegate* delegate) {
  return delegate->prepare(&context_, delegate) == tflite::kOk;
}

void Interpreter::set_shape(int tensor, const Shape& shape) {
  shapes_[tensor] = new_integers(shape);
  tensors_[tensor].shape = shapes_[tensor].get();
}

void Interpreter::resize(int tensor, const Shape& shape) {
  set_shape(tensor, shape);
}

Array Interpreter::input_of(int tensor) const {
  const Model::Variable& variable = model_.tensors[tensor];
  if (variable.is_constant) return variable.array;
  return {shape_of_tensor(tensors_[tensor]), {}};
}

bool Interpreter::prepare_parts() {
  for (int index : plan_) {
    const Registration& of = *registrations_[index];
    if (of.prepare && of.prepare(&context_, nodes_[index].get())) return false;
  }
  return true;
}

// The bytes of a tensor, or -1 if no memory has as many.
int64_t Interpreter::bytes_of(int tensor) const {
  int64_t bytes = computes(tensor) ? int64_t(sizeof(float)) : 1;
  for (int size : shape_of_tensor(tensors_[tensor])) {
    if (size < 0 || (size && bytes > (int64_t{1} << 40) / size)) return -1;
    bytes *= size;
  }
  return bytes;
}

bool Interpreter::allocate() {
  for (int index : plan_) {
    Node& node = *nodes_[index];
    const Registration& registration = *registrations_[index];
    if (registration.prepare) {
      if (registration.prepare(&context_, &node) != tflite::kOk) return false;
      continue;
    }
    if (skips_) continue;
    std::vector<Array> inputs;
    for (int t : to_vector(node.inputs)) inputs.push_back(input_of(t));
    std::vector<const Array*> pointers;
    for (const Array& input : inputs) pointers.push_back(&input);
    for (int i = 0; i < node.outputs->size; ++i) {
      set_shape(node.outputs->data[i],
                shape_of(registration.operator_code, node.parameters, pointers,
                         i, node.outputs->size));
    }
  }
  // Tensors between nodes of the plan, and not those inside of a node.
  std::set<int> passed(model_.inputs.begin(), model_.inputs.end());
  for (int index : plan_) {
    for (int t : to_vector(nodes_[index]->outputs)) {
      if (t >= 0) passed.insert(t);
    }
  }
  int64_t all = 0;
  for (int i : passed) {
    Tensor& tensor = tensors_[i];
    if (tensor.allocation_type == tflite::kReadOnly) continue;
    const int64_t bytes = bytes_of(i);
    if (bytes < 0 || (all += bytes) > most_bytes_) return false;
    tensor.bytes = size_t(bytes);
    memory_[i] = new_memory(tensor.bytes);
    tensor.data = memory_[i].get();
    // All bits are those of a NaN, to show missing writes.
    std::memset(tensor.data, 0xff, tensor.bytes);
  }
  return true;
}

bool Interpreter::computes(int tensor) const {
  return tensors_[tensor].type == model_.tensors[tensor].encoding.type;
}

void Interpreter::set(int tensor, const Array& array) {
  std::copy(array.values.begin(), array.values.end(),
            static_cast<float*>(tensors_[tensor].data));
}

std::vector<float> Interpreter::floats(int tensor) const {
  const Tensor& of = tensors_[tensor];
  const float* begin = static_cast<const float*>(of.data);
  return {begin, begin + of.bytes / sizeof(float)};
}

Array Interpreter::get(int tensor) const {
  const std::vector<float> numbers = floats(tensor);
  return {shape_of_tensor(tensors_[tensor]),
          std::vector<double>(numbers.begin(), numbers.end())};
}

bool Interpreter::invoke() {
  for (int index : plan_) {
    Node& node = *nodes_[index];
    const Registration& registration = *registrations_[index];
    if (node.delegate) {
      if (registration.invoke(&context_, &node) != tflite::kOk) return false;
      continue;
    }
    if (skips_ || !computes(node.outputs->data[0])) continue;
    std::vector<Array> inputs;
    for (int t : to_vector(node.inputs)) {
      inputs.push_back(model_.tensors[t].is_constant ? model_.tensors[t].array
                                                     : get(t));
    }
    std::vector<const Array*> pointers;
    for (const Array& input : inputs) pointers.push_back(&input);
    for (int i = 0; i < node.outputs->size; ++i) {
      set(node.outputs->data[i],
          compute(registration.operator_code, node.parameters, pointers, i,
                  node.outputs->size));
    }
  }
  return true;
}

int Interpreter::left() const {
  int count = 0;
  for (int index : plan_) count += !nodes_[index]->delegate;
  return count;
}

OwnedDelegate new_delegate(const Options& options, bool listens) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : options) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  const auto print = [](const char* error) {
    std::fprintf(stderr, "ERROR: %s\n", error);
  };
  return OwnedDelegate(
      tflite_plugin_create_delegate(
          keys.data(), values.data(), keys.size(),
          listens ? static_cast<void (*)(const char*)>(print) : nullptr),
      tflite_plugin_destroy_delegate);
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const char* name : {"avx512", "avx2", "neon", "portable"}) {
    if (find_kernels(name)) names.push_back(name);
  }
  return names;
}

double difference(const Array& found, const Array& expected) {
  if (found.shape != expected.shape) return INFINITY;
  double largest = 0, scale = 1e-30;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const double error = std::abs(found.values[i] - expected.values[i]);
    if (!(error <= largest)) largest = error;
    scale = std::max(scale, std::abs(expected.values[i]));
  }
  return std::isnan(largest) ? INFINITY : largest / scale;
}

std::vector<std::vector<float>> check(const Model& model,
                                      const std::map<int, Array>& inputs,
                                      const Expected& expected,
                                      Options options, int nodes_left,
                                      const std::string& what,
                                      double tolerance) {
  options.emplace("always", "1");
  options.emplace("tuning_seconds", "0");
  std::string name = what;
  for (const auto& [key, value] : options) name += " " + key + "=" + value;
  const OwnedDelegate delegate = new_delegate(options);
  EXPECT(delegate != nullptr) << name;
  if (!delegate) return {};
  Interpreter interpreter(model);
  for (const auto& [tensor, array] : inputs) {
    interpreter.resize(tensor, array.shape);
  }
  const bool runs = interpreter.apply(delegate.get()) &&
                    interpreter.allocate();
  EXPECT(runs) << name << ": " << interpreter.errors();
  if (!runs) return {};
  EXPECT(nodes_left < 0 || interpreter.left() == nodes_left)
      << name << ": " << interpreter.left() << " nodes are left, "
      << issp_delegate_report(delegate.get());
  for (const auto& [tensor, array] : inputs) interpreter.set(tensor, array);
  EXPECT(interpreter.invoke()) << name;
  std::vector<std::vector<float>> outputs;
  for (int output : model.outputs) {
    const Array& exact = expected.exact.at(output);
    const double off = difference(interpreter.get(output), exact);
    // Networks with much cancellation amplify rounding.
    const double rounding =
        difference(expected.rounded.at(output), exact);
    EXPECT(off <= std::max(tolerance, 20 * rounding))
        << name << ": tensor " << output << " is " << off << " off, and "
        << rounding << " is rounding";
    outputs.push_back(interpreter.floats(output));
  }
  return outputs;
}

}  // namespace issp::testing
