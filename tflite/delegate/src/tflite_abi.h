// The part of TFLite's C ABI that this delegate uses.
//
// No package ships TFLite's headers. The delegate needs no symbols of TFLite,
// because all calls go through function pointers of the context. These are the
// structures of `lite/core/c/common.h` and `builtin_op_data.h` since TensorFlow
// 2.13. TFLite only adds fields at their ends ("semi-ABI stable").
// `check_runtime` compares the structures with those of a runtime.

#ifndef ISSP_TFLITE_ABI_H_
#define ISSP_TFLITE_ABI_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace issp::tflite {

enum Status { kOk = 0, kError = 1 };

enum Type {
  kFloat32 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9,
  kFloat16 = 10,
  kTypes = 32,  // Larger than all others.
};

enum AllocationType {
  kReadOnly = 1,  // In the file.
  kDynamic = 4,
  kPersistentReadOnly = 5,
  kAllocationTypes = 16,  // Larger than all others.
};

enum Operator {
  kAdd = 0,
  kConcatenation = 2,
  kConv2D = 3,
  kDepthwiseConv2D = 4,
  kDepthToSpace = 5,
  kDequantize = 6,
  kFullyConnected = 9,
  kLogistic = 14,
  kMul = 18,
  kRelu = 19,
  kReluN1To1 = 20,
  kRelu6 = 21,
  kReshape = 22,
  kResizeBilinear = 23,
  kSoftmax = 25,
  kCustom = 32,
  kPad = 34,
  kGather = 36,
  kTranspose = 39,
  kMean = 40,
  kSub = 41,
  kDiv = 42,
  kStridedSlice = 45,
  kSplit = 49,
  kDelegate = 51,
  kCast = 53,
  kPrelu = 54,
  kMaximum = 55,
  kMinimum = 57,
  kLess = 58,
  kNeg = 59,
  kGreater = 61,
  kGreaterEqual = 62,
  kLessEqual = 63,
  kSelect = 64,
  kSlice = 65,
  kTile = 69,
  kExpandDims = 70,
  kEqual = 71,
  kNotEqual = 72,
  kSum = 74,
  kRsqrt = 76,
  kShape = 77,
  kReduceProd = 81,
  kPack = 83,
  kLogicalOr = 84,
  kLogicalAnd = 86,
  kLogicalNot = 87,
  kFloorDiv = 90,
  kFill = 94,
  kFloorMod = 95,
  kRange = 96,
  kResizeNearestNeighbor = 97,
  kLeakyRelu = 98,
  kSquaredDifference = 99,
  kQuantize = 114,
  kSelectV2 = 123,
  kDensify = 124,
  kBatchMatMul = 126,
  kBroadcastTo = 130,
  kGelu = 150,
  kRelu0To1 = 152,
};

enum Activation {
  kNoActivation = 0,
  kActivationRelu = 1,
  kActivationReluN1To1 = 2,
  kActivationRelu6 = 3,
};

enum Padding { kSame = 1, kValid = 2 };

enum QuantizationType { kNoQuantization = 0, kAffine = 1 };

enum DimensionFormat { kDense = 0, kSparseCsr = 1 };

struct IntArray {
  int size;
  int data[1];  // `size` of them.
};

// An array that the runtime or the caller frees; null if memory is missing.
inline IntArray* new_array(const std::vector<int>& numbers) {
  const size_t bytes =
      std::max(sizeof(IntArray), sizeof(int) * (1 + numbers.size()));
  auto* array = static_cast<IntArray*>(std::malloc(bytes));
  if (!array) return nullptr;
  array->size = int(numbers.size());
  std::copy(numbers.begin(), numbers.end(), array->data);
  return array;
}

struct FreeArray {
  void operator()(IntArray* array) const { std::free(array); }
};
// Frees its array at the end.
using OwnedArray = std::unique_ptr<IntArray, FreeArray>;

inline std::vector<int> to_vector(const IntArray* array) {
  return {array->data, array->data + array->size};
}

struct FloatArray {
  int size;
  float data[1];  // `size` of them.
};

struct DimensionMetadata {
  int format;
  int dense_size;
  IntArray* segments;
  IntArray* indices;
};

struct Sparsity {
  IntArray* traversal_order;
  IntArray* block_map;
  DimensionMetadata* dimensions;
  int dimension_count;
};

struct AffineQuantization {
  FloatArray* scale;
  IntArray* zero_point;
  int32_t dimension;
};

struct Delegate;

struct Tensor {
  int type;
  void* data;
  IntArray* shape;
  struct {
    float scale;
    int32_t zero_point;
  } legacy_quantization;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  Delegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct {
    int type;
    void* parameters;
  } quantization;
  Sparsity* sparsity;
  const IntArray* shape_signature;
};

struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* intermediates;
  IntArray* temporaries;
  void* user_data;
  void* parameters;
  const void* custom_data;
  int custom_data_size;
  Delegate* delegate;
  bool might_have_side_effect;
};

struct Context;

struct Registration {
  void* (*init)(Context*, const char* buffer, size_t length);
  void (*free)(Context*, void* buffer);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t operator_code;
  const char* custom_name;
  int version;
  void* external;
  void* (*async_kernel)(Context*, Node*);
  uint64_t inplace_operator;
  // It is passed by value. A later TFLite with more fields reads zeros here.
  uint64_t reserved[8];
};

struct DelegateParameters {
  Delegate* delegate;
  IntArray* nodes_to_replace;
  IntArray* input_tensors;
  IntArray* output_tensors;
};

struct Context {
  size_t tensor_count;
  int (*get_execution_plan)(Context*, IntArray** plan);
  Tensor* tensors;
  void* implementation;
  int (*resize_tensor)(Context*, Tensor*, IntArray* shape);  // Owns `shape`.
  void (*report_error)(Context*, const char* format, ...);
  int (*add_tensors)(Context*, int count, int* first);
  int (*get_node_and_registration)(Context*, int index, Node**,
                                   Registration**);
  int (*replace_node_subsets)(Context*, Registration, const IntArray* nodes,
                              Delegate*);
  int recommended_threads;
  void* (*get_external_context)(Context*, int type);
  void (*set_external_context)(Context*, int type, void*);
  bool allow_float16;
  void* profiler;
  void* (*allocate_persistent_buffer)(Context*, size_t bytes);
  int (*allocate_buffer_for_eval)(Context*, size_t bytes, void**);
  int (*request_scratch_buffer)(Context*, size_t bytes, int* index);
  void* (*get_scratch_buffer)(Context*, int index);
  int (*resize_tensor_explicit)(Context*, Tensor*, int rank, const int* shape);
  int (*preview_partitioning)(Context*, const IntArray* nodes,
                              DelegateParameters** partitions, int* count);
};

enum DelegateFlags { kAllowDynamicTensors = 1 };

struct Delegate {
  void* data;
  int (*prepare)(Context*, Delegate*);
  int (*copy_from_buffer_handle)(Context*, Delegate*, int, Tensor*);
  int (*copy_to_buffer_handle)(Context*, Delegate*, int, Tensor*);
  void (*free_buffer_handle)(Context*, Delegate*, int*);
  int64_t flags;
  void* opaque_delegate_builder;
};

struct ConvParameters {
  int padding;
  int stride_width;
  int stride_height;
  int activation;
  int dilation_width;
  int dilation_height;
};

struct DepthwiseConvParameters {
  int padding;
  int stride_width;
  int stride_height;
  int depth_multiplier;
  int activation;
  int dilation_width;
  int dilation_height;
};

struct FullyConnectedParameters {
  int activation;
  int weights_format;
  bool keep_dimensions;
};

struct ElementwiseParameters {  // Of ADD, MUL and SUB.
  int activation;
};

struct ConcatenationParameters {
  int axis;
  int activation;
};

struct DepthToSpaceParameters {
  int block_size;
};

struct ResizeParameters {
  bool align_corners;
  bool half_pixel_centers;
};

struct ReducerParameters {
  bool keep_dimensions;
};

struct SoftmaxParameters {
  float beta;
};

struct GeluParameters {
  bool approximate;
};

struct GatherParameters {
  int axis;
  int batch_dimensions;
};

struct StridedSliceParameters {
  int begin_mask;
  int end_mask;
  int ellipsis_mask;
  int new_axis_mask;
  int shrink_axis_mask;
};

struct BatchMatMulParameters {
  bool adjoint_x;
  bool adjoint_y;
};

struct PackParameters {
  int count;
  int axis;
};

struct LeakyReluParameters {
  float alpha;
};

}  // namespace issp::tflite

#endif  // ISSP_TFLITE_ABI_H_
