#include "file_writer.h"

#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "tflite_abi.h"

namespace issp::testing {
namespace {

using tflite::IntArray;

// A vector of the file: its bytes and its number of elements.
struct Vector {
  std::vector<uint8_t> bytes;
  uint32_t count = 0;
};

// A table before it is written. Fields are stored by number.
struct Record {
  std::map<int, std::vector<uint8_t>> numbers;
  std::map<int, Vector> vectors;
  std::map<int, Record> records;
  std::map<int, std::vector<Record>> lists;

  template <class Number>
  void number(int field, Number value) {
    std::vector<uint8_t>& bytes = numbers[field];
    bytes.resize(sizeof(value));
    std::memcpy(bytes.data(), &value, sizeof(value));
  }

  template <class Number>
  void vector(int field, const std::vector<Number>& values) {
    Vector& made = vectors[field];
    made.count = uint32_t(values.size());
    made.bytes.resize(values.size() * sizeof(Number));
    if (!values.empty()) {
      std::memcpy(made.bytes.data(), values.data(), made.bytes.size());
    }
  }

  void text(int field, const std::string& text) {
    vector(field, std::vector<char>(text.begin(), text.end()));
    vectors[field].bytes.push_back(0);
  }
};

// Writes tables. The objects of a table follow it.
class Writer {
 public:
  std::vector<uint8_t> write(const Record& root) {
    bytes_ = {0, 0, 0, 0, 'T', 'F', 'L', '3'};
    point(0, add(root));
    return std::move(bytes_);
  }

 private:
  template <class Number>
  void put(size_t place, Number value) {
    std::memcpy(&bytes_[place], &value, sizeof(value));
  }

  void point(size_t from, size_t to) { put(from, uint32_t(to - from)); }

  void align(size_t by) {
    while (bytes_.size() % by) bytes_.push_back(0);
  }

  size_t append(size_t bytes) {
    bytes_.resize(bytes_.size() + bytes);
    return bytes_.size() - bytes;
  }

  size_t add(const Vector& of) {
    // The elements are aligned. The count precedes them.
    while (bytes_.size() % 16 != 12) bytes_.push_back(0);
    const size_t place = append(4 + of.bytes.size());
    put(place, of.count);
    std::copy(of.bytes.begin(), of.bytes.end(), bytes_.begin() + place + 4);
    return place;
  }

  size_t add(const Record& of) {
    std::map<int, size_t> sizes;  // Of fields.
    for (const auto& [field, number] : of.numbers) {
      sizes[field] = number.size();
    }
    for (const auto& [field, _] : of.vectors) sizes[field] = 4;
    for (const auto& [field, _] : of.records) sizes[field] = 4;
    for (const auto& [field, _] : of.lists) sizes[field] = 4;
    const int count = sizes.empty() ? 0 : sizes.rbegin()->first + 1;
    align(8);
    const size_t list = append(4 + 2 * size_t(count));
    align(8);
    const size_t table = append(4);
    put(list, uint16_t(4 + 2 * count));
    put(table, int32_t(table - list));
    std::map<int, size_t> places;
    for (const auto& [field, size] : sizes) {
      align(size);
      places[field] = append(size);
      put(list + 4 + 2 * size_t(field), uint16_t(places[field] - table));
    }
    put(list + 2, uint16_t(bytes_.size() - table));
    for (const auto& [field, number] : of.numbers) {
      std::copy(number.begin(), number.end(), bytes_.begin() + places[field]);
    }
    for (const auto& [field, vector] : of.vectors) {
      point(places[field], add(vector));
    }
    for (const auto& [field, record] : of.records) {
      point(places[field], add(record));
    }
    for (const auto& [field, records] : of.lists) {
      align(4);
      const size_t vector = append(4 + 4 * records.size());
      put(vector, uint32_t(records.size()));
      point(places[field], vector);
      for (size_t i = 0; i < records.size(); ++i) {
        const size_t place = add(records[i]);
        point(vector + 4 + 4 * i, place);
      }
    }
    return table;
  }

  std::vector<uint8_t> bytes_;
};

std::vector<int> numbers(const IntArray* of) {
  return of ? tflite::to_vector(of) : std::vector<int>();
}

// The type of a tensor in the file.
int8_t type_in_file(int type) {
  switch (type) {
    case tflite::kFloat32:
      return 0;
    case tflite::kFloat16:
      return 1;
    case tflite::kInt32:
      return 2;
    case tflite::kUint8:
      return 3;
    case tflite::kInt64:
      return 4;
    case tflite::kInt16:
      return 7;
    case tflite::kInt8:
      return 9;
  }
  return 5;  // Strings, which are not computed.
}

template <class Parameters>
const Parameters& as(const void* parameters) {
  return *static_cast<const Parameters*>(parameters);
}

// The options of an operator, with the fields of TFLite's schema.
Record options_of(int code, const void* parameters) {
  Record of;
  const auto padding = [](int kind) {
    return int8_t(kind == tflite::kSame ? 0 : 1);
  };
  switch (code) {
    case tflite::kConv2D: {
      const auto& from = as<tflite::ConvParameters>(parameters);
      of.number(0, padding(from.padding));
      of.number(1, from.stride_width);
      of.number(2, from.stride_height);
      of.number(3, int8_t(from.activation));
      of.number(4, from.dilation_width);
      of.number(5, from.dilation_height);
      break;
    }
    case tflite::kDepthwiseConv2D: {
      const auto& from =
          as<tflite::DepthwiseConvParameters>(parameters);
      of.number(0, padding(from.padding));
      of.number(1, from.stride_width);
      of.number(2, from.stride_height);
      of.number(3, from.depth_multiplier);
      of.number(4, int8_t(from.activation));
      of.number(5, from.dilation_width);
      of.number(6, from.dilation_height);
      break;
    }
    case tflite::kFullyConnected: {
      const auto& from =
          as<tflite::FullyConnectedParameters>(parameters);
      of.number(0, int8_t(from.activation));
      of.number(1, int8_t(from.weights_format));
      of.number(2, uint8_t(from.keep_dimensions));
      break;
    }
    case tflite::kAdd:
    case tflite::kMul:
    case tflite::kSub:
      of.number(
          0, int8_t(as<tflite::ElementwiseParameters>(parameters)
                        .activation));
      break;
    case tflite::kConcatenation: {
      const auto& from =
          as<tflite::ConcatenationParameters>(parameters);
      of.number(0, from.axis);
      of.number(1, int8_t(from.activation));
      break;
    }
    case tflite::kDepthToSpace:
      of.number(0, as<tflite::DepthToSpaceParameters>(parameters)
                       .block_size);
      break;
    case tflite::kResizeBilinear:
    case tflite::kResizeNearestNeighbor: {
      const auto& from = as<tflite::ResizeParameters>(parameters);
      const int first = code == tflite::kResizeBilinear ? 2 : 0;
      of.number(first, uint8_t(from.align_corners));
      of.number(first + 1, uint8_t(from.half_pixel_centers));
      break;
    }
    case tflite::kMean:
      of.number(0, uint8_t(as<tflite::ReducerParameters>(parameters)
                               .keep_dimensions));
      break;
    case tflite::kSoftmax:
      of.number(0,
                as<tflite::SoftmaxParameters>(parameters).beta);
      break;
    case tflite::kGelu:
      of.number(0, uint8_t(as<tflite::GeluParameters>(parameters)
                               .approximate));
      break;
    case tflite::kGather: {
      const auto& from = as<tflite::GatherParameters>(parameters);
      of.number(0, from.axis);
      of.number(1, from.batch_dimensions);
      break;
    }
    case tflite::kStridedSlice: {
      const auto& from =
          as<tflite::StridedSliceParameters>(parameters);
      of.number(0, from.begin_mask);
      of.number(1, from.end_mask);
      of.number(2, from.ellipsis_mask);
      of.number(3, from.new_axis_mask);
      of.number(4, from.shrink_axis_mask);
      break;
    }
    case tflite::kBatchMatMul: {
      const auto& from =
          as<tflite::BatchMatMulParameters>(parameters);
      of.number(0, uint8_t(from.adjoint_x));
      of.number(1, uint8_t(from.adjoint_y));
      break;
    }
    case tflite::kPack: {
      const auto& from = as<tflite::PackParameters>(parameters);
      of.number(0, from.count);
      of.number(1, from.axis);
      break;
    }
    case tflite::kLeakyRelu:
      of.number(0,
                as<tflite::LeakyReluParameters>(parameters).alpha);
      break;
    default:
      break;
  }
  return of;
}

void add_indices(const IntArray* from, int type_field, Record* to) {
  Record vector;
  vector.vector(0, numbers(from));
  to->number(type_field, uint8_t{1});  // Int32.
  to->records[type_field + 1] = std::move(vector);
}

Record sparsity_of(const tflite::Sparsity& from) {
  Record of;
  of.vector(0, numbers(from.traversal_order));
  if (from.block_map) of.vector(1, numbers(from.block_map));
  std::vector<Record>& levels = of.lists[2];
  for (int i = 0; i < from.dimension_count; ++i) {
    const tflite::DimensionMetadata& level = from.dimensions[i];
    Record made;
    made.number(0, int8_t(level.format));
    made.number(1, level.dense_size);
    if (level.format == tflite::kSparseCsr) {
      add_indices(level.segments, 2, &made);
      add_indices(level.indices, 4, &made);
    }
    levels.push_back(std::move(made));
  }
  return of;
}

Record tensor_of(const tflite::Tensor& from, uint32_t buffer) {
  Record of;
  of.vector(0, numbers(from.shape));
  of.number(1, type_in_file(from.type));
  of.number(2, buffer);
  of.text(3, from.name ? from.name : "");
  if (from.quantization.type == tflite::kAffine &&
      from.quantization.parameters) {
    const auto& affine = *static_cast<const tflite::AffineQuantization*>(
        from.quantization.parameters);
    Record made;
    if (affine.scale) {
      made.vector(2, std::vector<float>(
                         affine.scale->data,
                         affine.scale->data + affine.scale->size));
    }
    const std::vector<int> zeros = numbers(affine.zero_point);
    made.vector(3, std::vector<int64_t>(zeros.begin(), zeros.end()));
    made.number(6, affine.dimension);
    of.records[4] = std::move(made);
  }
  if (from.sparsity) of.records[6] = sparsity_of(*from.sparsity);
  if (from.shape_signature) of.vector(7, numbers(from.shape_signature));
  return of;
}

}  // namespace

std::vector<uint8_t> write_file(const Model& model, Interpreter* interpreter,
                                const FileForm& form) {
  Record file, graph;
  std::vector<std::vector<uint8_t>> following;
  file.number(0, uint32_t{3});
  file.lists[4].emplace_back();  // The first buffer is always empty.
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const tflite::Tensor& tensor = interpreter->tensor(int(i));
    uint32_t buffer = 0;
    if (tensor.allocation_type == tflite::kReadOnly && tensor.data) {
      buffer = uint32_t(file.lists[4].size());
      const auto* data = static_cast<const uint8_t*>(tensor.data);
      file.lists[4].emplace_back();
      std::vector<uint8_t> bytes(data, data + tensor.bytes);
      if (form.data_follows) {
        // Its place is set when the size of the flatbuffer is known.
        file.lists[4].back().number(1, uint64_t{1});
        file.lists[4].back().number(2, uint64_t(bytes.size()));
        following.push_back(std::move(bytes));
      } else {
        file.lists[4].back().vector(0, bytes);
      }
    }
    graph.lists[0].push_back(tensor_of(tensor, buffer));
  }
  graph.vector(1, model.inputs);
  graph.vector(2, model.outputs);
  std::map<int, uint32_t> codes;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const int code = interpreter->code(int(i));
    if (!codes.count(code)) {
      codes[code] = uint32_t(codes.size());
      Record made;
      made.number(0, int8_t(code < 127 ? code : 127));
      made.number(3, code);
      if (code == tflite::kCustom) made.text(1, "Other");
      file.lists[1].push_back(std::move(made));
    }
    const tflite::Node& node = interpreter->node(int(i));
    Record made;
    made.number(0, codes[code]);
    made.vector(1, numbers(node.inputs));
    made.vector(2, numbers(node.outputs));
    if (node.parameters) made.records[4] = options_of(code, node.parameters);
    graph.lists[3].push_back(std::move(made));
  }
  file.lists[2].assign(size_t(form.graphs), graph);
  size_t end = Writer().write(file).size();
  for (size_t i = 0; i < following.size(); ++i) {
    end = (end + 15) / 16 * 16;
    file.lists[4][i + 1].number(1, uint64_t(end));
    end += following[i].size();
  }
  std::vector<uint8_t> written = Writer().write(file);
  for (const std::vector<uint8_t>& bytes : following) {
    written.resize((written.size() + 15) / 16 * 16);
    written.insert(written.end(), bytes.begin(), bytes.end());
  }
  return written;
}

std::vector<uint8_t> write_file(const Model& model) {
  Interpreter interpreter(model);
  return write_file(model, &interpreter);
}

}  // namespace issp::testing
