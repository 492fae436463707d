// Reads a TFLite graph, and finds the nodes that can be computed.

#ifndef ISSP_GRAPH_H_
#define ISSP_GRAPH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tensors.h"
#include "tflite_abi.h"

namespace issp {

struct Operator;

// A node of the graph.
struct GraphNode {
  int index;
  int code;
  const tflite::Node* node;
  bool is_late;  // It makes a tensor that an earlier node makes or uses.

  int input(int i) const {
    return i < node->inputs->size ? node->inputs->data[i] : -1;
  }
  int output() const { return node->outputs->data[0]; }

  template <class Parameters>
  const Parameters& parameters() const {
    return *static_cast<const Parameters*>(node->parameters);
  }
};

class Graph {
 public:
  // Reads the graph. `error` becomes the error, or empty. Unless `knows_sizes`,
  // an image of one pixel may be a placeholder for another size.
  Graph(tflite::Context* context, std::string* error, bool knows_sizes = false);

  const Tensors& tensors() const { return tensors_; }
  const GraphNode& node(int index) const { return nodes_.at(index); }

  // Indices of the nodes that can be computed.
  const std::vector<int>& supported() const { return supported_; }

  // Why the other nodes cannot be computed.
  const std::map<int, std::string>& problems() const { return problems_; }

  // Nodes that use a tensor.
  std::vector<int> users(int tensor) const;

  // Nodes of `kept` that unpack a constant for no node, or for a node outside
  // of `kept`.
  std::vector<int> unpackers_without_users(const std::set<int>& kept) const;

  // Splits nodes into connected parts. Nodes that unpack constants belong to no
  // part.
  std::vector<std::vector<int>> connected(const std::vector<int>& nodes) const;

 private:
  bool read_nodes(const std::vector<int>& order, std::string* error);
  bool gathers_constant(const GraphNode& node) const;
  bool read_outputs(const std::vector<int>& order);
  void find_placeholders();
  void find_supported(const std::vector<int>& order);
  std::set<int> known_nodes(const std::vector<int>& order,
                            const std::set<int>& left);
  bool leave_movers(const std::vector<int>& order, std::set<int> known,
                    std::set<int>* left) const;
  const char* problem_of(const GraphNode& node);
  const char* problem_of_types(const GraphNode& node, const Operator& of) const;
  bool is_convolved(int tensor, const std::set<int>& known) const;

  tflite::Context* context_;
  Tensors tensors_;
  std::map<int, GraphNode> nodes_;
  std::map<int, std::vector<int>> users_;  // Nodes by tensor.
  std::set<int> outputs_;  // Of the whole graph.
  std::vector<int> supported_;
  std::map<int, std::string> problems_;
};

}  // namespace issp

#endif  // ISSP_GRAPH_H_
