// The graph of a `.tflite` file, as the structures that `Graph` reads.

#ifndef ISSP_FILE_GRAPH_H_
#define ISSP_FILE_GRAPH_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "flatbuffer.h"
#include "parameters.h"
#include "tflite_abi.h"

namespace issp::engine {

class FileGraph {
 public:
  FileGraph() = default;
  FileGraph(const FileGraph&) = delete;
  FileGraph& operator=(const FileGraph&) = delete;

  // Reads the bytes of a file, which must outlive this. To be called once.
  // Returns what is wrong with them, or nothing.
  std::string read(Bytes file);

  tflite::Context* context() { return &context_; }
  const tflite::Tensor& tensor(int i) const { return tensors_[i]; }
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  int nodes() const { return int(nodes_.size()); }
  const tflite::Node& node(int i) const { return nodes_[i]; }
  int code(int i) const { return registrations_[i].operator_code; }
  // Of the operator of a node, as TFLite's files have it.
  std::string operator_name(int i) const;

  // Which nodes are to be computed, in their order.
  void set_plan(const std::vector<int>& nodes);
  // Makes a tensor one of this shape.
  void set_shape(int tensor, const std::vector<int>& shape);
  // Makes a tensor a constant.
  void set_constant(int tensor, const void* data, size_t bytes);

 private:
  std::string read_model(const Table& model, Bytes file);
  std::string read_tensor(const Table& of, const std::vector<Bytes>& data);
  std::string read_quantization(const Table& of, tflite::Tensor* tensor);
  std::string read_sparsity(const Table& of, tflite::Tensor* tensor);
  std::string read_node(const Table& of, const std::vector<Table>& codes);
  bool are_tensors(const std::vector<int>& indices, int least) const;
  void make_context();

  // Memory that lives as long as this.
  char* keep(const void* data, size_t bytes);
  tflite::IntArray* keep(const std::vector<int>& numbers);
  tflite::FloatArray* keep(const std::vector<float>& numbers);

  static FileGraph& of(tflite::Context* context) {
    return *static_cast<FileGraph*>(context->implementation);
  }
  static int get_plan(tflite::Context* context, tflite::IntArray** plan);
  static int get_node(tflite::Context* context, int index, tflite::Node** node,
                      tflite::Registration** registration);
  static int preview(tflite::Context* context, const tflite::IntArray* nodes,
                     tflite::DelegateParameters** parts, int* count);

  tflite::Context context_{};
  std::vector<tflite::Tensor> tensors_;
  std::vector<tflite::Node> nodes_;
  std::vector<tflite::Registration> registrations_;
  std::vector<std::string> customs_;  // Names of operators, by node.
  std::vector<int> inputs_;
  std::vector<int> outputs_;
  tflite::IntArray* plan_ = nullptr;
  tflite::DelegateParameters whole_{};
  std::deque<std::unique_ptr<char[]>> memory_;
  size_t file_size_ = 0;
  size_t copied_ = 0;  // Bytes of constants.
};

}  // namespace issp::engine

#endif  // ISSP_FILE_GRAPH_H_
