// Applies operators to shapes. This gives the shape of a tensor, and its
// numbers if they depend only on the sizes of images.

#ifndef ISSP_SIZE_OPERATORS_H_
#define ISSP_SIZE_OPERATORS_H_

#include <map>
#include <optional>
#include <vector>

#include "arrays.h"
#include "graph_copy.h"

namespace issp {

// A tensor: its shape, and its numbers if they are known.
struct Known {
  Shape shape;
  std::optional<Array> numbers;
};

// One node, and the known facts about its inputs.
class KnownNode {
 public:
  KnownNode(const GraphCopy& graph, int node, const std::map<int, Known>& known)
      : graph_(graph), node_(graph.node(node)), code_(graph.code(node)),
        known_(known) {}

  int code() const { return code_; }
  int inputs() const { return node_.inputs->size; }
  int outputs() const { return node_.outputs->size; }
  // Of an input; null if that is unknown.
  const Shape* shape(int i) const;
  const Array* numbers(int i) const;
  // The numbers of an input as integers, if there are `count`; -1 accepts any
  // count.
  std::optional<std::vector<int>> whole(int i, int count = -1) const;
  // The type of an input or of the output.
  int type(int i) const;
  int made_type() const;

  template <class P>
  const P* parameters() const {
    return static_cast<const P*>(node_.parameters);
  }

 private:
  const GraphCopy& graph_;
  const tflite::Node& node_;
  int code_;
  const std::map<int, Known>& known_;
};

// The outputs of a node; empty if they are unknown.
std::vector<Known> make(const KnownNode& node);

}  // namespace issp

#endif  // ISSP_SIZE_OPERATORS_H_
