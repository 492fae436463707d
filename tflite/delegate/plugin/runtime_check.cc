#include "runtime_check.h"

#include <dlfcn.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;
using tflite::Node;
using tflite::Registration;
using tflite::Tensor;

constexpr size_t kMostTensors = 1 << 24;
// The most dimensions of a tensor. A file may have many.
constexpr int kMostRank = 1 << 20;
// The most levels of a sparse tensor that are checked.
constexpr int kLevels = 64;
constexpr int kMostOperands = 1 << 16;
// Bytes that every pipe can buffer.
constexpr size_t kPipe = 4096;
constexpr int kMostOperators = 1 << 12;
// The most checked objects of each kind, evenly spread.
constexpr size_t kLooks = 4096;

// Writes without AddressSanitizer's check in `write`. It would read the memory
// itself, and end the program.
ssize_t write_unseen(int file, const void* from, size_t bytes) {
#ifdef __linux__
  return syscall(SYS_write, file, from, bytes);
#else
  return write(file, from, bytes);
#endif
}

// Reads memory that may not be mapped, by writing it to a pipe.
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

  // Copies bytes if they can be read. Without a pipe, all but null pointers
  // count as readable.
  bool copy(const void* from, void* to, size_t bytes) {
    if (!from) return false;
    if (pipe_[0] < 0) {
      std::memcpy(to, from, bytes);
      return true;
    }
    for (size_t done = 0; done < bytes;) {
      const size_t part = std::min(bytes - done, kPipe);
      const char* at = static_cast<const char*>(from) + done;
      if (write_unseen(pipe_[1], at, part) != ssize_t(part) ||
          read(pipe_[0], static_cast<char*>(to) + done, part) !=
              ssize_t(part)) {
        return false;
      }
      done += part;
    }
    return true;
  }

  template <class T>
  bool copy(const T* from, T* to) {
    return reinterpret_cast<uintptr_t>(from) % alignof(T) == 0 &&
           copy(from, static_cast<void*>(to), sizeof(T));
  }

  bool can_read(const void* from) {
    char sink;
    return copy(from, &sink, 1);
  }

  // Copies an array if it has at most `most` numbers.
  bool copy_array(const IntArray* array, int most, std::vector<int>* numbers) {
    int size;
    if (!copy(reinterpret_cast<const int*>(array), &size) || size < 0 ||
        size > most) {
      return false;
    }
    numbers->resize(size_t(size));
    return size == 0 ||
           copy(array->data, numbers->data(), sizeof(int) * size_t(size));
  }

  // Whether the first and the last number of an array can be read.
  bool is_array(const IntArray* array) {
    int size;
    return copy(reinterpret_cast<const int*>(array), &size) && size >= 0 &&
           (size == 0 || can_read(array->data + size - 1));
  }

 private:
  int pipe_[2];
};

// Whether this is an address in a loaded library.
bool is_function(const void* function) {
  Dl_info info;
  return function && dladdr(function, &info);
}

template <class Function>
bool is_callable(Function* function) {
  return is_function(reinterpret_cast<const void*>(function));
}

// The stored byte. Reading an invalid bool would be undefined behaviour.
int number_of(const bool& value) {
  unsigned char number;
  std::memcpy(&number, &value, 1);
  return number;
}

bool is_quantization(const Tensor& tensor, Probe* probe) {
  const auto& quantization = tensor.quantization;
  if (quantization.type < 0 || quantization.type > 15) return false;
  if (quantization.type != tflite::kAffine || !quantization.parameters) {
    return true;
  }
  tflite::AffineQuantization affine;
  if (!probe->copy(static_cast<const tflite::AffineQuantization*>(
                       quantization.parameters),
                   &affine)) {
    return false;
  }
  // Arrays of floats are like those of integers.
  const auto* scale = reinterpret_cast<const IntArray*>(affine.scale);
  return (!scale || probe->is_array(scale)) &&
         (!affine.zero_point || probe->is_array(affine.zero_point));
}

bool is_sparsity(const tflite::Sparsity* from, Probe* probe) {
  tflite::Sparsity sparsity;
  std::vector<int> numbers;
  if (!probe->copy(from, &sparsity) || sparsity.dimension_count < 0 ||
      sparsity.dimension_count > 2 * kMostRank ||
      !probe->copy_array(sparsity.traversal_order, 2 * kMostRank, &numbers) ||
      (sparsity.block_map &&
       !probe->copy_array(sparsity.block_map, kMostRank, &numbers))) {
    return false;
  }
  for (int i = 0; i < std::min(sparsity.dimension_count, kLevels); ++i) {
    tflite::DimensionMetadata level;
    if (!probe->copy(sparsity.dimensions + i, &level)) return false;
    if (level.format != tflite::kSparseCsr) continue;
    if (!probe->is_array(level.segments) || !probe->is_array(level.indices)) {
      return false;
    }
  }
  return true;
}

bool is_tensor(const Tensor& tensor, Probe* probe) {
  if (tensor.type < 0 || tensor.type >= tflite::kTypes) return false;
  if (tensor.allocation_type < 0 ||
      tensor.allocation_type >= tflite::kAllocationTypes) {
    return false;
  }
  if (number_of(tensor.data_is_stale) > 1 ||
      number_of(tensor.is_variable) > 1) {
    return false;
  }
  std::vector<int> shape, signature;
  if ((tensor.shape && !probe->copy_array(tensor.shape, kMostRank, &shape)) ||
      (tensor.shape_signature &&
       !probe->copy_array(tensor.shape_signature, kMostRank, &signature)) ||
      (tensor.name && !probe->can_read(tensor.name)) ||
      (tensor.sparsity && !is_sparsity(tensor.sparsity, probe)) ||
      !is_quantization(tensor, probe)) {
    return false;
  }
  // A constant may have more memory than it needs, or none in the file.
  const bool is_stored = tensor.allocation_type == tflite::kReadOnly &&
                         tensor.data && tensor.bytes > 0;
  if (!is_stored) return true;
  size_t least = tensor.type == tflite::kFloat32 && !tensor.sparsity ? 4 : 0;
  for (int size : shape) least *= size_t(std::max(size, 0));
  return tensor.bytes >= least && probe->can_read(tensor.data) &&
         probe->can_read(static_cast<const char*>(tensor.data) +
                         (tensor.bytes - 1));
}

bool is_node(const Node& node, const Context& context, Probe* probe) {
  for (const IntArray* of : {node.inputs, node.outputs}) {
    std::vector<int> operands;
    if (!probe->copy_array(of, kMostOperands, &operands)) return false;
    for (int tensor : operands) {
      if (tensor < -1 || tensor >= int(context.tensor_count)) return false;
    }
  }
  return !node.parameters || probe->can_read(node.parameters);
}

bool is_registration(const Registration* from, Probe* probe) {
  // An older TFLite does not have the members after `external`.
  Registration registration{};
  return probe->copy(from, &registration,
                     offsetof(Registration, async_kernel)) &&
         registration.operator_code >= 0 &&
         registration.operator_code <= kMostOperators &&
         (is_callable(registration.invoke) ||
          (!registration.invoke && probe->can_read(registration.external)));
}

// Some numbers of 0..count, evenly spread.
std::vector<size_t> spread(size_t count) {
  const size_t looks = std::min(count, kLooks);
  std::vector<size_t> chosen(looks);
  for (size_t i = 0; i < looks; ++i) chosen[i] = i * count / looks;
  return chosen;
}

}  // namespace

std::string check_runtime(Context* context) {
  Probe probe;
  Context of;
  if (!probe.copy(context, &of)) return "its context is too small";
  const bool has_functions = is_callable(of.get_execution_plan) &&
                             is_callable(of.resize_tensor) &&
                             is_callable(of.report_error) &&
                             is_callable(of.get_node_and_registration) &&
                             is_callable(of.replace_node_subsets) &&
                             is_callable(of.preview_partitioning);
  if (!has_functions) return "its context has other functions";
  if (of.tensor_count > kMostTensors) return "its context has another order";
  for (size_t i : spread(of.tensor_count)) {
    Tensor tensor;
    if (!probe.copy(of.tensors + i, &tensor) || !is_tensor(tensor, &probe)) {
      return "its tensors have other fields";
    }
  }
  IntArray* list = nullptr;
  std::vector<int> plan;
  if (of.get_execution_plan(context, &list) != tflite::kOk ||
      !probe.copy_array(list, int(kMostTensors), &plan)) {
    return "its execution plan is no list";
  }
  for (size_t i : spread(plan.size())) {
    const int index = plan[i];
    Node* from = nullptr;
    Registration* registration = nullptr;
    Node node;
    if (of.get_node_and_registration(context, index, &from, &registration) !=
            tflite::kOk ||
        !probe.copy(from, &node) || !is_node(node, of, &probe)) {
      return "its nodes have other fields";
    }
    if (!is_registration(registration, &probe)) {
      return "its operators have other fields";
    }
  }
  return "";
}

}  // namespace issp
