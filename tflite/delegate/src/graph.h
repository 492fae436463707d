// Reads networks from a graph of TFLite, and says which parts to take.

#ifndef ISSP_GRAPH_H_
#define ISSP_GRAPH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "constant.h"
#include "network.h"
#include "tflite_abi.h"

namespace issp {

// Constants of a graph by the tensors they are used as, which may be made of
// those that are stored by DENSIFY and DEQUANTIZE.
class Constants {
 public:
  // Whether a tensor is a constant, or made of one.
  bool has(int tensor) const { return sources_.count(tensor) > 0; }

  // Notes that `tensor` has the values of `source`.
  void add(int tensor, int source);

  // Reads a constant. Returns what is wrong with it, or nothing.
  std::string read(const tflite::Context& context, int tensor,
                   Constant* constant) const;

 private:
  std::map<int, int> sources_;
};

// A node of the graph.
struct GraphNode {
  int index;
  int code;
  const tflite::Node* node;

  int input(int i) const {
    return i < node->inputs->size ? node->inputs->data[i] : -1;
  }
  int output() const { return node->outputs->data[0]; }
};

// Part of a graph that is computed as one.
struct Part {
  Network network;
  std::vector<int> inputs;   // Tensors, of the operations `kInput`.
  std::vector<int> outputs;  // Tensors, of the operations `kOutput`.
  int nodes = 0;
  double expected_speedup = 0;  // How many times faster than in the runtime.
};

class Graph {
 public:
  // Reads the graph. `error` becomes what is wrong with it, or nothing.
  Graph(tflite::Context* context, std::string* error);

  const Constants& constants() const { return constants_; }

  // Whether the file stands for images of any size, and says so by images of
  // one pixel.
  bool has_placeholders() const { return has_placeholders_; }

  // Nodes that can be computed, by their indices.
  const std::vector<int>& supported() const { return supported_; }

  // Why others cannot.
  const std::map<int, std::string>& problems() const { return problems_; }

  // Nodes that unpack a constant for others than those that are `kept`.
  std::vector<int> unpackers_without_users(const std::set<int>& kept) const;

  // Parts nodes into those that have nothing to do with each other; those that
  // unpack constants are in none.
  std::vector<std::vector<int>> connected(const std::vector<int>& nodes) const;

  // Makes a network of connected nodes. Returns what forbids it, or nothing.
  std::string build(const std::vector<int>& nodes,
                    const std::vector<int>& outputs, Part* part) const;

 private:
  // What is known of the height and width of a tensor.
  struct Extent {
    std::string name;  // The same for tensors that have always the same.
    bool is_pixel = false;
    bool is_known = false;  // Whether it is always that in the file.
  };

  bool read_nodes(const std::vector<int>& order, std::string* error);
  bool read_outputs(const std::vector<int>& order);
  void find_placeholders();
  const char* problem_of(const GraphNode& node);
  const char* problem_of_weights(const GraphNode& node) const;
  const char* problem_of_convolution(const GraphNode& node,
                                     Extent* made) const;
  const char* problem_of_fully_connected(const GraphNode& node);
  const char* problem_of_shape(const GraphNode& node, Extent* made) const;
  const char* problem_of_arithmetic(const GraphNode& node, Extent* made) const;
  const char* problem_of_function(const GraphNode& node, Extent* made) const;
  const int32_t* integers_of(int tensor, size_t count) const;
  int factor_of(const GraphNode& node) const;
  Extent extent(int tensor) const;
  Extent extent_in_file(int tensor) const;
  bool is_float(int tensor) const;
  bool is_image(int tensor) const;
  bool is_new_image(int tensor) const;
  bool is_list(int tensor) const;
  int channels(int tensor) const;
  int rank(int tensor) const;
  const tflite::Tensor& tensor(int i) const { return context_->tensors[i]; }
  std::string read(int tensor, Constant* constant) const {
    return constants_.read(*context_, tensor, constant);
  }

  tflite::Context* context_;
  Constants constants_;
  std::map<int, GraphNode> nodes_;
  std::map<int, std::vector<int>> users_;  // Nodes by tensor.
  std::set<int> outputs_;  // Of the whole graph.
  // Whether all images from outside have one pixel, until they are resized.
  bool has_placeholders_ = false;
  std::map<int, Extent> extents_;
  std::set<int> lists_;  // Tensors that are lists of pixels.
  std::vector<int> supported_;
  std::map<int, std::string> problems_;

  friend class Builder;
};

}  // namespace issp

#endif  // ISSP_GRAPH_H_
