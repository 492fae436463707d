// Builds a network from the nodes of a graph.

#ifndef ISSP_BUILDER_H_
#define ISSP_BUILDER_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph.h"
#include "network.h"
#include "part.h"
#include "views.h"

namespace issp {

// Makes a network of connected nodes. Returns the error, or an empty string.
std::string build(const Graph& graph, const std::vector<int>& nodes,
                  const std::vector<int>& outputs, Part* part);

// Operators add themselves to a network with this.
class Builder {
 public:
  Builder(const Graph& graph, const std::vector<int>& outputs, Part* part)
      : graph_(graph),
        outputs_(outputs.begin(), outputs.end()),
        part_(*part) {}

  // Adds all nodes. Returns the error, or an empty string.
  std::string build(const std::vector<int>& nodes);

  const Tensors& tensors() const { return graph_.tensors(); }

  // The value of a tensor, with pixels in the order of the image. The tensor
  // may be an input of the part.
  int value_of(int tensor);
  // The same with pixels in their current order.
  int held(int tensor);
  // The same with pixels in the order of tensor `other`, if the sizes are
  // equal.
  int held_like(int tensor, int other);
  // The same with pixels in the order `order`.
  int arranged(int tensor, const Arrangement& order);
  // Records that a tensor has the numbers of `source` in other places.
  void alias(int tensor, int source);

  // The number of the operation that makes the value of a tensor.
  int producer(int tensor) { return producers_[held(tensor)]; }

  // The operation that makes a tensor, if more can be appended to it; null if
  // something else needs the tensor unchanged.
  Operation* open(int tensor);

  // The operation to which `node` appends: the one that makes `tensor` if it is
  // open, or else a new copy.
  Operation& opened(int tensor, const GraphNode& node);

  // A new copy, even if nothing else needs the tensor.
  Operation& copied(int tensor, const GraphNode& node);

  // The same two, for nodes that need the pixels in the order of the image.
  Operation& opened_image(int tensor, const GraphNode& node);
  Operation& copied_image(int tensor, const GraphNode& node);

  // Adds an operation that makes the result of a node.
  Operation& append(Operation of, const GraphNode& node);

  Operation& append_attention(Operation of, const Arrangement& order,
                              const GraphNode& node);

  // An operation that copies a value. It is not added yet. If `node` is not
  // null, the operation has the name of the node.
  Operation copy_of(int value, const GraphNode* node) const;

  // Adds an operation that picks rows and columns of an image.
  void append_pixels(int from, const std::vector<int>& rows,
                     const std::vector<int>& columns, const GraphNode& node);

  // Adds a function of all channels of an image.
  Operation& across(int tensor, AcrossKind kind, float number,
                    const GraphNode& node);

  // Adds DEPTH_TO_SPACE to an operation.
  void shuffle(Operation* of, int block);

  // Pads an image with its border values, and not with zeros.
  void repeat(int value) { part_.network.values[value].repeats = true; }

  // Records that a node pads an image. The convolution after it does the
  // padding.
  void pad(const GraphNode& node, const Padding& padding);

  // The unpadded input of a convolution. Also gets the padding.
  int unpadded(int tensor, Padding* padding) const;

  // Append a function to the result of an operation.
  void clamp(Operation* of, float low, float high) const;
  void activate(Operation* of, int activation) const;
  // Ends an int8 operation with the scale of the node's output. Multiplies each
  // channel by `factors`, or by `below` where the number is below zero.
  // `rounds_factors` says whether XNNPACK rounds the factors for this operator.
  void rescale(Operation* of, const GraphNode& node, std::vector<float> factors,
               std::vector<float> below, bool rounds_factors) const;
  // The same with factors of one. Does nothing if the scales are equal.
  void requantize(Operation* of, const GraphNode& node,
                  bool rounds_factors) const;
  // Multiplies by `a` and adds `b`, by channel.
  void scale(Operation* of, std::vector<float> a, std::vector<float> b) const;
  void push(Operation* of, Post post) const;

  // Reads a constant that has one number, or one for each channel. Returns the
  // error, or an empty string.
  std::string by_channel(int tensor, int channels,
                         std::vector<float>* all) const;

  std::string name_of(const GraphNode& node) const;

  // Whether a node computes in int8.
  bool is_int8(const GraphNode& node) const {
    return tensors().is_int8(node.output());
  }
  Quantization& quantization_of(int value) const {
    return part_.network.values[value].quantization;
  }

  // Reads the value of `tensor` from `source`, an input of the part with pixels
  // of this type. Returns false if anything else uses `source`.
  bool take_pixels(int tensor, int source, PixelType type);
  // Records that a tensor has the value of `source`, as pixels of this type.
  void give_pixels(int tensor, int source, PixelType type);

 private:
  struct Padded {
    const GraphNode* node;
    Padding padding;
  };

  std::vector<Operation>& operations() { return part_.network.operations; }
  void hold(int tensor, int value);
  int raw(int tensor);
  bool has_no_other_use(int value);
  bool only_moves(int node, int value) const;
  int new_value(int channels, int tensor);
  int cropped(int tensor);
  Operation pixels_of(int value, const std::vector<int>& rows,
                      const std::vector<int>& columns, Size size) const;
  int rearranged(int value, const Arrangement& order, int user);
  int known_move(int value, const Arrangement& order) const;
  int moved(int value, const Arrangement& order);
  int insert_behind(int value, const Arrangement& order, Operation of);
  int computed_again(int value, const Arrangement& order);
  void drop_first_orders();
  bool rearrange_what_makes(int value, const Arrangement& order, int user);
  int add_input(int tensor, int value_of, PixelType type);
  void add_output(int tensor);
  bool is_consistent() const;
  void postpone();
  bool enlarges(const Operation& of) const;

  const Graph& graph_;
  std::set<int> outputs_;
  Part& part_;
  std::map<int, int> values_;  // By tensor.
  std::map<int, std::vector<int>> tensors_of_;  // By value.
  std::vector<int> producers_;  // Operations, by value.
  std::vector<Arrangement> orders_;  // By value.
  // Values by tensor, for tensors that have only some channels or pixels.
  std::map<int, int> selected_;
  std::vector<int> again_;  // Values that are also made in another order.
  int node_ = -1;        // The node that is being built.
  std::set<int> built_;  // The nodes before it.
  struct Rearranged {
    int value;
    Arrangement order;
    int made;
  };
  std::vector<Rearranged> rearranged_;
  std::string error_;
  std::map<int, Padded> pads_;  // By the padded tensor.
  struct Given {
    int source;
    PixelType type;
  };
  std::map<int, Given> given_;  // By tensor.
};

}  // namespace issp

#endif  // ISSP_BUILDER_H_
