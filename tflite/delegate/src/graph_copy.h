// A graph of a file, or a copy of a runtime's graph. Shapes of tensors can be
// set, and nodes can be removed from its plan.

#ifndef ISSP_GRAPH_COPY_H_
#define ISSP_GRAPH_COPY_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tflite_abi.h"

namespace issp {

// Bytes of a number; 0 for unsupported types.
int bytes_of_type(int type);

// Whether the numbers of a tensor are in the file.
bool is_stored(const tflite::Tensor& tensor);

class GraphCopy {
 public:
  GraphCopy() = default;
  // Copies another graph, which must outlive the copy.
  GraphCopy(const GraphCopy& of);
  GraphCopy& operator=(const GraphCopy&) = delete;

  // The input of `Graph`.
  tflite::Context* context() { return &context_; }
  const tflite::Tensor& tensor(int i) const { return tensors_[i]; }
  int tensors() const { return int(tensors_.size()); }
  int nodes() const { return int(nodes_.size()); }
  const tflite::Node& node(int i) const { return nodes_[i]; }
  int code(int i) const { return registrations_[i].operator_code; }
  // The name of a node's operator in TFLite's files.
  std::string operator_name(int i) const;
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }

  // Add tensors and nodes. Call these before the functions below.
  void add(const tflite::Tensor& tensor) { tensors_.push_back(tensor); }
  void add(const tflite::Node& node, int code,
           const char* custom_name = nullptr);
  void finish(const std::vector<int>& inputs, const std::vector<int>& outputs);

  // Sets the nodes to compute, in order.
  void set_plan(const std::vector<int>& nodes);
  // Sets the shape of a tensor, which is then known.
  void set_shape(int tensor, const std::vector<int>& shape);
  // Makes a tensor a constant.
  void set_constant(int tensor, const void* data, size_t bytes);

  // Copies data to memory that lives as long as this graph.
  char* keep(const void* data, size_t bytes);
  tflite::IntArray* keep(const std::vector<int>& numbers);
  tflite::FloatArray* keep(const std::vector<float>& numbers);

 private:
  static GraphCopy& of(tflite::Context* context) {
    return *static_cast<GraphCopy*>(context->implementation);
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
  std::vector<int> inputs_;
  std::vector<int> outputs_;
  tflite::IntArray* plan_ = nullptr;
  tflite::DelegateParameters whole_{};
  std::deque<std::unique_ptr<char[]>> memory_;
};

// Copies the graph of a runtime, which must outlive the copy. Returns null if
// other delegates have taken nodes, or if no images lead to images.
std::unique_ptr<GraphCopy> copy_graph(tflite::Context* context);

}  // namespace issp

#endif  // ISSP_GRAPH_COPY_H_
