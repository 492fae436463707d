#include "file_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "parameters.h"

namespace issp::engine {
namespace {

using tflite::IntArray;
using tflite::Tensor;

// The most dimensions of a tensor, and operands of a node.
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

// Reads the data of a buffer. In large files, data follows the flatbuffer.
bool read_buffer(const Table& of, Bytes file, Bytes* data) {
  *data = of.bytes(buffer::kData);
  const auto offset = of.number<uint64_t>(buffer::kOffset);
  const auto size = of.number<uint64_t>(buffer::kSize);
  if (offset <= 1) return true;
  if (offset > file.size || size > file.size - offset) return false;
  *data = {file.data + offset, size_t(size)};
  return true;
}

// Segments or indices of a dimension. The file stores them in one of three
// widths.
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

class FileReader {
 public:
  FileReader(Bytes file, GraphCopy* graph) : file_(file), graph_(*graph) {}

  std::string read();

 private:
  std::string read_model(const Table& model);
  std::string read_tensor(const Table& of, const std::vector<Bytes>& data);
  std::string read_data(const Bytes& bytes, bool is_sparse, Tensor* tensor);
  std::string read_quantization(const Table& of, Tensor* tensor);
  std::string read_sparsity(const Table& of, Tensor* tensor);
  std::string read_node(const Table& of, const std::vector<Table>& codes);
  bool are_tensors(const std::vector<int>& indices, int least) const;

  Bytes file_;
  GraphCopy& graph_;
  size_t copied_ = 0;  // Bytes of constants.
};

std::string FileReader::read() {
  constexpr char kIdentifier[] = "TFL3";
  if (file_.size < 8 || std::memcmp(file_.data + 4, kIdentifier, 4)) {
    return "this is no .tflite file";
  }
  Buffer all(file_);
  const std::string error = read_model(Table::root(&all));
  return all.is_broken() ? kDamaged : error;
}

std::string FileReader::read_model(const Table& model) {
  std::vector<Bytes> data;
  for (const Table& of : model.tables(model::kBuffers)) {
    data.emplace_back();
    if (!read_buffer(of, file_, &data.back())) return kDamaged;
  }
  const std::vector<Table> graphs = model.tables(model::kGraphs);
  if (graphs.empty()) return "the file has no graph";
  const Table& graph = graphs[0];
  for (const Table& of : graph.tables(graph::kTensors)) {
    const std::string error = read_tensor(of, data);
    if (!error.empty()) return error;
  }
  const std::vector<int> inputs = graph.numbers<int>(graph::kInputs);
  const std::vector<int> outputs = graph.numbers<int>(graph::kOutputs);
  if (!are_tensors(inputs, 0) || !are_tensors(outputs, 0)) return kDamaged;
  const std::vector<Table> codes = model.tables(model::kCodes);
  for (const Table& of : graph.tables(graph::kNodes)) {
    const std::string error = read_node(of, codes);
    if (!error.empty()) return error;
  }
  graph_.finish(inputs, outputs);
  return "";
}

std::string FileReader::read_tensor(const Table& of,
                                   const std::vector<Bytes>& data) {
  Tensor tensor{};
  const std::vector<int> shape = of.numbers<int>(tensor::kShape);
  const std::vector<int> signature = of.numbers<int>(tensor::kSignature);
  const std::string name = of.text(tensor::kName);
  if (shape.size() > kMostRank || signature.size() > kMostRank) {
    return "tensor " + name + " has more than 8 dimensions";
  }
  tensor.type = type_of_file(of.number<int8_t>(tensor::kType));
  tensor.shape = graph_.keep(shape);
  if (!signature.empty()) tensor.shape_signature = graph_.keep(signature);
  tensor.name = graph_.keep(name.c_str(), name.size() + 1);
  tensor.buffer_handle = -1;
  tensor.is_variable = of.number<uint8_t>(tensor::kIsVariable) != 0;
  const auto index = of.number<uint32_t>(tensor::kBuffer);
  if (index >= data.size()) return kDamaged;
  std::string error =
      read_quantization(of.table(tensor::kQuantization), &tensor);
  const Table sparse = of.table(tensor::kSparsity);
  if (error.empty() && sparse.exists()) error = read_sparsity(sparse, &tensor);
  if (!error.empty()) return error;
  if (data[index].size) {
    error = read_data(data[index], sparse.exists(), &tensor);
    if (!error.empty()) return "tensor " + name + " " + error;
  }
  graph_.add(tensor);
  return "";
}

// Sets a tensor to the constant in these bytes.
std::string FileReader::read_data(const Bytes& bytes, bool is_sparse,
                                  Tensor* tensor) {
  // The runtime also requires the number of bytes that the shape implies.
  const bool is_dense = !is_sparse && bytes_of_type(tensor->type);
  const std::vector<int> shape = tflite::to_vector(tensor->shape);
  if (is_dense && bytes_of_shape(tensor->type, shape) != int64_t(bytes.size)) {
    return "has other bytes than its shape needs";
  }
  tensor->allocation_type = tflite::kReadOnly;
  tensor->bytes = bytes.size;
  tensor->data = const_cast<uint8_t*>(bytes.data);
  // The bytes in the file may not be aligned for numbers of this type.
  const bool is_aligned =
      reinterpret_cast<uintptr_t>(bytes.data) % sizeof(int64_t) == 0;
  if (is_aligned) return "";
  // Tensors may share bytes, so copies are limited to the size of the file.
  copied_ += bytes.size;
  if (copied_ > file_.size) return "is not aligned";
  tensor->data = graph_.keep(bytes.data, bytes.size);
  return "";
}

std::string FileReader::read_quantization(const Table& of, Tensor* tensor) {
  const std::vector<float> scale = of.numbers<float>(quantization::kScale);
  const auto zeros = of.numbers<int64_t>(quantization::kZeroPoint);
  if (scale.empty()) return "";
  std::vector<int> zero_points;
  for (int64_t zero : zeros) {
    if (zero != int32_t(zero)) return kDamaged;
    zero_points.push_back(int(zero));
  }
  // The runtime gives each scale a zero point.
  if (zero_points.size() <= 1) {
    zero_points.resize(scale.size(), zeros.empty() ? 0 : zero_points[0]);
  }
  if (zero_points.size() != scale.size()) return kDamaged;
  tflite::AffineQuantization affine{};
  affine.scale = graph_.keep(scale);
  affine.zero_point = graph_.keep(zero_points);
  affine.dimension = of.number<int32_t>(quantization::kDimension);
  tensor->quantization.type = tflite::kAffine;
  tensor->quantization.parameters = graph_.keep(&affine, sizeof(affine));
  return "";
}

std::string FileReader::read_sparsity(const Table& of, Tensor* tensor) {
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
      made.segments = graph_.keep(read_indices(
          dimension, dimension::kSegmentsType, dimension::kSegments));
      made.indices = graph_.keep(read_indices(
          dimension, dimension::kIndicesType, dimension::kIndices));
    }
    dimensions.push_back(made);
  }
  tflite::Sparsity made{};
  made.traversal_order = graph_.keep(order);
  if (!blocks.empty()) made.block_map = graph_.keep(blocks);
  made.dimension_count = int(dimensions.size());
  made.dimensions =
      reinterpret_cast<tflite::DimensionMetadata*>(graph_.keep(
          dimensions.data(), dimensions.size() * sizeof(dimensions[0])));
  tensor->sparsity =
      reinterpret_cast<tflite::Sparsity*>(graph_.keep(&made, sizeof(made)));
  return "";
}

std::string FileReader::read_node(const Table& of,
                                 const std::vector<Table>& codes) {
  const auto index = of.number<uint32_t>(node::kCode);
  const std::vector<int> inputs = of.numbers<int>(node::kInputs);
  const std::vector<int> outputs = of.numbers<int>(node::kOutputs);
  if (index >= codes.size() || !are_tensors(inputs, -1) ||
      !are_tensors(outputs, 0)) {
    return kDamaged;
  }
  const Table& code = codes[index];
  // Old files, from before there were more than 127 operators, only have the
  // first field.
  const int operator_code =
      std::max(int(code.number<int8_t>(code::kDeprecated)),
               code.number<int32_t>(code::kBuiltin));
  tflite::Node node{};
  node.inputs = graph_.keep(inputs);
  node.outputs = graph_.keep(outputs);
  Parameters parameters;
  if (read_parameters(operator_code, of.table(node::kOptions), &parameters)) {
    node.parameters = graph_.keep(&parameters, sizeof(parameters));
  }
  const std::string custom = code.text(code::kCustomName);
  const char* name = nullptr;
  if (operator_code == tflite::kCustom) {
    name = graph_.keep(custom.c_str(), custom.size() + 1);
  }
  graph_.add(node, operator_code, name);
  return "";
}

// Whether all indices are numbers of tensors, and none is below `least`.
bool FileReader::are_tensors(const std::vector<int>& indices, int least) const {
  return indices.size() <= kMostOperands &&
         std::all_of(indices.begin(), indices.end(), [&](int i) {
           return i >= least && i < graph_.tensors();
         });
}

}  // namespace

std::string read_file(Bytes file, GraphCopy* graph) {
  return FileReader(file, graph).read();
}

}  // namespace issp::engine
