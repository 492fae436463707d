#include "runtime_check.h"

#include <dlfcn.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cstdint>

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;
using tflite::Node;
using tflite::Registration;
using tflite::Tensor;

constexpr size_t kMostTensors = 1 << 24;
constexpr int kMostRank = 32;
constexpr int kMostOperands = 1 << 16;
constexpr int kMostOperators = 1 << 12;
// What is looked at of each kind.
constexpr int kLooks = 256;

// Writes, without what AddressSanitizer does in `write`: it would look at the
// memory itself, and end the program.
ssize_t write_unseen(int file, const void* from, size_t bytes) {
#ifdef __linux__
  return syscall(SYS_write, file, from, bytes);
#else
  return write(file, from, bytes);
#endif
}

// Reads memory that may not be there, by writing it into a pipe.
class Probe {
 public:
  Probe() {
    if (pipe(pipe_)) pipe_[0] = pipe_[1] = -1;
  }
  ~Probe() {
    for (int end : pipe_) {
      if (end >= 0) close(end);
    }
  }

  // Whether `bytes`, of which there are few, can be read. Without a pipe, what
  // is no null pointer counts as readable.
  bool can_read(const void* from, size_t bytes) {
    if (!from) return false;
    if (pipe_[0] < 0) return true;
    char sink[512];
    for (size_t done = 0; done < bytes;) {
      const size_t part = std::min(bytes - done, sizeof(sink));
      const char* at = static_cast<const char*>(from) + done;
      const ssize_t written = write_unseen(pipe_[1], at, part);
      if (written != ssize_t(part)) return false;
      if (read(pipe_[0], sink, part) != ssize_t(part)) return false;
      done += part;
    }
    return true;
  }

  // Whether this is an array of at most `most` numbers.
  bool is_array(const IntArray* array, int most) {
    return reinterpret_cast<uintptr_t>(array) % alignof(IntArray) == 0 &&
           can_read(array, sizeof(int)) && array->size >= 0 &&
           array->size <= most &&
           can_read(array->data, sizeof(int) * array->size);
  }

 private:
  int pipe_[2];
};

// Whether this is the address of a function that something has loaded.
bool is_function(const void* function) {
  Dl_info info;
  return function && dladdr(function, &info);
}

template <class Function>
bool is_callable(Function* function) {
  return is_function(reinterpret_cast<const void*>(function));
}

bool is_bool(const bool* value) {
  return *reinterpret_cast<const unsigned char*>(value) <= 1;
}

bool is_tensor(const Tensor& tensor, Probe* probe) {
  if (tensor.type < 0 || tensor.type >= tflite::kTypes) return false;
  if (tensor.allocation_type < 0 ||
      tensor.allocation_type >= tflite::kAllocationTypes) {
    return false;
  }
  if (!is_bool(&tensor.data_is_stale) || !is_bool(&tensor.is_variable)) {
    return false;
  }
  if (tensor.quantization.type < 0 || tensor.quantization.type > 15) {
    return false;
  }
  if (tensor.shape && !probe->is_array(tensor.shape, kMostRank)) return false;
  if (tensor.shape_signature &&
      !probe->is_array(tensor.shape_signature, kMostRank)) {
    return false;
  }
  if (tensor.name && !probe->can_read(tensor.name, 1)) return false;
  if (tensor.sparsity) {
    if (!probe->can_read(tensor.sparsity, sizeof(tflite::Sparsity)) ||
        tensor.sparsity->dimension_count < 0 ||
        tensor.sparsity->dimension_count > 2 * kMostRank ||
        !probe->is_array(tensor.sparsity->traversal_order, 2 * kMostRank)) {
      return false;
    }
  }
  const bool is_dense_constant = tensor.allocation_type == tflite::kReadOnly &&
                                 tensor.type == tflite::kFloat32 &&
                                 !tensor.sparsity && tensor.shape;
  if (!is_dense_constant) return true;
  size_t bytes = sizeof(float);
  for (int i = 0; i < tensor.shape->size; ++i) bytes *= tensor.shape->data[i];
  return bytes == tensor.bytes;
}

bool is_node(const Node& node, const Context& context, Probe* probe) {
  for (const IntArray* of : {node.inputs, node.outputs}) {
    if (!probe->is_array(of, kMostOperands)) return false;
    for (int i = 0; i < of->size; ++i) {
      if (of->data[i] < -1 || of->data[i] >= int(context.tensor_count)) {
        return false;
      }
    }
  }
  // Some operators have one byte of parameters.
  return !node.parameters || probe->can_read(node.parameters, 1);
}

}  // namespace

std::string check_runtime(Context* context) {
  Probe probe;
  if (!probe.can_read(context, sizeof(Context))) {
    return "its context is too small";
  }
  const bool has_functions = is_callable(context->get_execution_plan) &&
                             is_callable(context->resize_tensor) &&
                             is_callable(context->report_error) &&
                             is_callable(context->get_node_and_registration) &&
                             is_callable(context->replace_node_subsets) &&
                             is_callable(context->preview_partitioning);
  if (!has_functions) return "its context has other functions";
  const int count = int(std::min(context->tensor_count, kMostTensors + 1));
  if (count > int(kMostTensors)) return "its context has another order";
  for (int i = 0; i < std::min(count, kLooks); ++i) {
    if (!probe.can_read(&context->tensors[i], sizeof(Tensor)) ||
        !is_tensor(context->tensors[i], &probe)) {
      return "its tensors have other fields";
    }
  }
  IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != tflite::kOk ||
      !probe.is_array(plan, int(kMostTensors))) {
    return "its execution plan is no list";
  }
  for (int i = 0; i < std::min(plan->size, kLooks); ++i) {
    Node* node = nullptr;
    Registration* registration = nullptr;
    const int status = context->get_node_and_registration(
        context, plan->data[i], &node, &registration);
    if (status != tflite::kOk || !probe.can_read(node, sizeof(Node)) ||
        !is_node(*node, *context, &probe)) {
      return "its nodes have other fields";
    }
    if (!probe.can_read(registration, offsetof(Registration, external)) ||
        registration->operator_code < 0 ||
        registration->operator_code > kMostOperators ||
        !is_callable(registration->invoke)) {
      return "its operators have other fields";
    }
  }
  return "";
}

}  // namespace issp
