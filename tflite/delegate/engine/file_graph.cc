#include "file_graph.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "codes.h"

namespace issp::engine {
namespace {

using tflite::IntArray;
using tflite::Tensor;

// Dimensions of a tensor, and operands of a node.
constexpr size_t kMostRank = 8;
constexpr size_t kMostOperands = 1024;

constexpr char kDamaged[] = "the file is damaged, or no .tflite file";

// Fields of the tables of TFLite's schema.
namespace model {
enum { kCodes = 1, kGraphs = 2, kBuffers = 4 };
}
namespace graph {
enum { kTensors = 0, kInputs = 1, kOutputs = 2, kNodes = 3 };
}
namespace tensor {
enum {
  kShape = 0,
  kType = 1,
  kBuffer = 2,
  kName = 3,
  kQuantization = 4,
  kIsVariable = 5,
  kSparsity = 6,
  kSignature = 7,
};
}
namespace node {
enum { kCode = 0, kInputs = 1, kOutputs = 2, kOptions = 4 };
}
namespace code {
enum { kDeprecated = 0, kCustomName = 1, kBuiltin = 3 };
}
namespace buffer {
enum { kData = 0, kOffset = 1, kSize = 2 };
}
namespace quantization {
enum { kScale = 2, kZeroPoint = 3, kDimension = 6 };
}
namespace sparsity {
enum { kOrder = 0, kBlocks = 1, kDimensions = 2 };
}
namespace dimension {
enum {
  kFormat = 0,
  kDenseSize = 1,
  kSegmentsType = 2,
  kSegments = 3,
  kIndicesType = 4,
  kIndices = 5,
};
}

// What a buffer holds. Data of large files is behind the flatbuffer.
bool read_buffer(const Table& of, Bytes file, Bytes* data) {
  *data = of.bytes(buffer::kData);
  const auto offset = of.number<uint64_t>(buffer::kOffset);
  const auto size = of.number<uint64_t>(buffer::kSize);
  if (offset <= 1) return true;
  if (offset > file.size || size > file.size - offset) return false;
  *data = {file.data + offset, size_t(size)};
  return true;
}

// Segments or indices of a dimension, of which the file has three widths.
std::vector<int> read_indices(const Table& of, int type_field, int field) {
  const Table vector = of.table(field);
  std::vector<int> all;
  const auto append = [&](const auto& numbers) {
    all.assign(numbers.begin(), numbers.end());
  };
  switch (of.number<uint8_t>(type_field)) {
    case 1:
      append(vector.numbers<int32_t>(0));
      break;
    case 2:
      append(vector.numbers<uint16_t>(0));
      break;
    case 3:
      append(vector.numbers<uint8_t>(0));
      break;
    default:
      break;
  }
  return all;
}

// Bytes of a tensor of a known shape, or -1.
int64_t bytes_of_shape(int type, const std::vector<int>& shape) {
  int64_t bytes = bytes_of_type(type);
  for (int size : shape) {
    if (size < 0) return -1;
    if (size && bytes > std::numeric_limits<int64_t>::max() / size) return -1;
    bytes *= size;
  }
  return bytes;
}

}  // namespace

std::string FileGraph::read(Bytes file) {
  constexpr char kIdentifier[] = "TFL3";
  if (file.size < 8 || std::memcmp(file.data + 4, kIdentifier, 4)) {
    return "this is no .tflite file";
  }
  Buffer all(file);
  file_size_ = file.size;
  const std::string error = read_model(Table::root(&all), file);
  if (all.is_broken()) return kDamaged;
  if (!error.empty()) return error;
  make_context();
  return "";
}

std::string FileGraph::read_model(const Table& model, Bytes file) {
  std::vector<Bytes> data;
  for (const Table& of : model.tables(model::kBuffers)) {
    data.emplace_back();
    if (!read_buffer(of, file, &data.back())) return kDamaged;
  }
  const std::vector<Table> graphs = model.tables(model::kGraphs);
  if (graphs.empty()) return "the file has no graph";
  const Table& graph = graphs[0];
  for (const Table& of : graph.tables(graph::kTensors)) {
    const std::string error = read_tensor(of, data);
    if (!error.empty()) return error;
  }
  inputs_ = graph.numbers<int>(graph::kInputs);
  outputs_ = graph.numbers<int>(graph::kOutputs);
  if (!are_tensors(inputs_, 0) || !are_tensors(outputs_, 0)) return kDamaged;
  const std::vector<Table> codes = model.tables(model::kCodes);
  for (const Table& of : graph.tables(graph::kNodes)) {
    const std::string error = read_node(of, codes);
    if (!error.empty()) return error;
  }
  return "";
}

std::string FileGraph::read_tensor(const Table& of,
                                   const std::vector<Bytes>& data) {
  Tensor tensor{};
  const std::vector<int> shape = of.numbers<int>(tensor::kShape);
  const std::vector<int> signature = of.numbers<int>(tensor::kSignature);
  const std::string name = of.text(tensor::kName);
  if (shape.size() > kMostRank || signature.size() > kMostRank) {
    return "tensor " + name + " has more than 8 dimensions";
  }
  tensor.type = type_of_file(of.number<int8_t>(tensor::kType));
  tensor.shape = keep(shape);
  if (!signature.empty()) tensor.shape_signature = keep(signature);
  tensor.name = keep(name.c_str(), name.size() + 1);
  tensor.buffer_handle = -1;
  tensor.is_variable = of.number<uint8_t>(tensor::kIsVariable) != 0;
  const auto index = of.number<uint32_t>(tensor::kBuffer);
  if (index >= data.size()) return kDamaged;
  std::string error =
      read_quantization(of.table(tensor::kQuantization), &tensor);
  const Table sparse = of.table(tensor::kSparsity);
  if (error.empty() && sparse.exists()) error = read_sparsity(sparse, &tensor);
  if (!error.empty()) return error;
  const Bytes& bytes = data[index];
  if (bytes.size) {
    // What is known by its shape must be there, as a runtime makes sure.
    const bool is_dense = !sparse.exists() && bytes_of_type(tensor.type);
    if (is_dense && bytes_of_shape(tensor.type, shape) != int64_t(bytes.size)) {
      return "tensor " + name + " has other bytes than its shape needs";
    }
    tensor.allocation_type = tflite::kReadOnly;
    tensor.bytes = bytes.size;
    // A file may have them where numbers of this type cannot be read.
    const bool is_aligned =
        reinterpret_cast<uintptr_t>(bytes.data) % sizeof(int64_t) == 0;
    tensor.data = const_cast<uint8_t*>(bytes.data);
    if (!is_aligned) {
      // Many tensors may have the same bytes.
      copied_ += bytes.size;
      if (copied_ > file_size_) return kDamaged;
      tensor.data = keep(bytes.data, bytes.size);
    }
  }
  tensors_.push_back(tensor);
  return "";
}

std::string FileGraph::read_quantization(const Table& of, Tensor* tensor) {
  const std::vector<float> scale = of.numbers<float>(quantization::kScale);
  const auto zeros = of.numbers<int64_t>(quantization::kZeroPoint);
  if (scale.empty()) return "";
  std::vector<int> zero_points;
  for (int64_t zero : zeros) {
    if (zero != int32_t(zero)) return kDamaged;
    zero_points.push_back(int(zero));
  }
  // The runtime gives one to each scale.
  if (zero_points.size() <= 1) {
    zero_points.resize(scale.size(), zeros.empty() ? 0 : zero_points[0]);
  }
  if (zero_points.size() != scale.size()) return kDamaged;
  tflite::AffineQuantization affine{};
  affine.scale = keep(scale);
  affine.zero_point = keep(zero_points);
  affine.dimension = of.number<int32_t>(quantization::kDimension);
  tensor->quantization.type = tflite::kAffine;
  tensor->quantization.parameters = keep(&affine, sizeof(affine));
  return "";
}

std::string FileGraph::read_sparsity(const Table& of, Tensor* tensor) {
  const std::vector<int> order = of.numbers<int>(sparsity::kOrder);
  const std::vector<int> blocks = of.numbers<int>(sparsity::kBlocks);
  const std::vector<Table> tables = of.tables(sparsity::kDimensions);
  if (order.size() > 2 * kMostRank || blocks.size() > kMostRank ||
      tables.size() > 2 * kMostRank) {
    return kDamaged;
  }
  std::vector<tflite::DimensionMetadata> dimensions;
  for (const Table& dimension : tables) {
    tflite::DimensionMetadata made{};
    made.format = dimension.number<int8_t>(dimension::kFormat);
    made.dense_size = dimension.number<int32_t>(dimension::kDenseSize);
    if (made.format == tflite::kSparseCsr) {
      made.segments = keep(read_indices(dimension, dimension::kSegmentsType,
                                        dimension::kSegments));
      made.indices = keep(read_indices(dimension, dimension::kIndicesType,
                                       dimension::kIndices));
    }
    dimensions.push_back(made);
  }
  tflite::Sparsity made{};
  made.traversal_order = keep(order);
  if (!blocks.empty()) made.block_map = keep(blocks);
  made.dimension_count = int(dimensions.size());
  made.dimensions = reinterpret_cast<tflite::DimensionMetadata*>(
      keep(dimensions.data(), dimensions.size() * sizeof(dimensions[0])));
  tensor->sparsity =
      reinterpret_cast<tflite::Sparsity*>(keep(&made, sizeof(made)));
  return "";
}

std::string FileGraph::read_node(const Table& of,
                                 const std::vector<Table>& codes) {
  const auto index = of.number<uint32_t>(node::kCode);
  const std::vector<int> inputs = of.numbers<int>(node::kInputs);
  const std::vector<int> outputs = of.numbers<int>(node::kOutputs);
  if (index >= codes.size() || !are_tensors(inputs, -1) ||
      !are_tensors(outputs, 0)) {
    return kDamaged;
  }
  const Table& code = codes[index];
  // Files from before there were more than 127 have the first alone.
  const int operator_code =
      std::max(int(code.number<int8_t>(code::kDeprecated)),
               code.number<int32_t>(code::kBuiltin));
  tflite::Node node{};
  node.inputs = keep(inputs);
  node.outputs = keep(outputs);
  Parameters parameters;
  if (read_parameters(operator_code, of.table(node::kOptions), &parameters)) {
    node.parameters = keep(&parameters, sizeof(parameters));
  }
  tflite::Registration registration{};
  registration.operator_code = operator_code;
  nodes_.push_back(node);
  registrations_.push_back(registration);
  customs_.push_back(code.text(code::kCustomName));
  return "";
}

// Whether these are numbers of tensors, or at least `least`.
bool FileGraph::are_tensors(const std::vector<int>& indices, int least) const {
  return indices.size() <= kMostOperands &&
         std::all_of(indices.begin(), indices.end(), [&](int i) {
           return i >= least && i < int(tensors_.size());
         });
}

std::string FileGraph::operator_name(int i) const {
  if (code(i) == kCustom) return customs_[i];
  const char* name = name_of_code(code(i));
  return name ? name : "operator " + std::to_string(code(i));
}

void FileGraph::set_plan(const std::vector<int>& nodes) {
  plan_ = keep(nodes);
  whole_.nodes_to_replace = plan_;
}

void FileGraph::set_shape(int tensor, const std::vector<int>& shape) {
  tensors_[tensor].shape = keep(shape);
  // It is known that this is no placeholder.
  tensors_[tensor].shape_signature = tensors_[tensor].shape;
}

void FileGraph::set_constant(int tensor, const void* data, size_t bytes) {
  tensors_[tensor].allocation_type = tflite::kReadOnly;
  tensors_[tensor].data = keep(data, bytes);
  tensors_[tensor].bytes = bytes;
}

void FileGraph::make_context() {
  context_.tensor_count = tensors_.size();
  context_.tensors = tensors_.data();
  context_.implementation = this;
  context_.get_execution_plan = get_plan;
  context_.get_node_and_registration = get_node;
  context_.preview_partitioning = preview;
  std::vector<int> all(nodes_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = int(i);
  set_plan(all);
  whole_.input_tensors = keep(inputs_);
  whole_.output_tensors = keep(outputs_);
}

char* FileGraph::keep(const void* data, size_t bytes) {
  // An empty array has an address, too.
  memory_.push_back(std::make_unique<char[]>(std::max(bytes, size_t{1})));
  if (bytes) std::memcpy(memory_.back().get(), data, bytes);
  return memory_.back().get();
}

IntArray* FileGraph::keep(const std::vector<int>& numbers) {
  std::vector<int> array{int(numbers.size())};
  array.insert(array.end(), numbers.begin(), numbers.end());
  array.resize(std::max(array.size(), sizeof(IntArray) / sizeof(int)));
  return reinterpret_cast<IntArray*>(
      keep(array.data(), array.size() * sizeof(int)));
}

tflite::FloatArray* FileGraph::keep(const std::vector<float>& numbers) {
  // As an array of their bits.
  std::vector<int> bits(numbers.size());
  if (!bits.empty()) {
    std::memcpy(bits.data(), numbers.data(), bits.size() * sizeof(int));
  }
  return reinterpret_cast<tflite::FloatArray*>(keep(bits));
}

int FileGraph::get_plan(tflite::Context* context, IntArray** plan) {
  *plan = of(context).plan_;
  return tflite::kOk;
}

int FileGraph::get_node(tflite::Context* context, int index,
                        tflite::Node** node,
                        tflite::Registration** registration) {
  FileGraph& graph = of(context);
  *node = &graph.nodes_[index];
  *registration = &graph.registrations_[index];
  return tflite::kOk;
}

// All nodes are one part.
int FileGraph::preview(tflite::Context* context, const IntArray*,
                       tflite::DelegateParameters** parts, int* count) {
  *parts = &of(context).whole_;
  *count = 1;
  return tflite::kOk;
}

}  // namespace issp::engine
