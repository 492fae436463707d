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

// Makes a network of connected nodes. Returns what forbids it, or nothing.
std::string build(const Graph& graph, const std::vector<int>& nodes,
                  const std::vector<int>& outputs, Part* part);

// What operators make networks with.
class Builder {
 public:
  Builder(const Graph& graph, const std::vector<int>& outputs, Part* part)
      : graph_(graph),
        outputs_(outputs.begin(), outputs.end()),
        part_(*part) {}

  // Adds all nodes. Returns what forbids it, or nothing.
  std::string build(const std::vector<int>& nodes);

  const Tensors& tensors() const { return graph_.tensors(); }

  // The value of a tensor, which may come from outside, with pixels in the
  // order of the image.
  int value_of(int tensor);
  // The same with pixels in whatever order there is.
  int held(int tensor);
  // The same in the order of another, if both are as large.
  int held_like(int tensor, int other);
  // The same in this order.
  int arranged(int tensor, const Arrangement& order);
  // Notes that a tensor has the numbers of another in other places.
  void alias(int tensor, int source);

  // The operation that makes the value of a tensor, by number.
  int producer(int tensor) { return producers_[held(tensor)]; }

  // The operation that makes a tensor, if more can be appended to it; null if
  // something else needs the tensor unchanged.
  Operation* open(int tensor);

  // The operation to which `node` appends: the one that makes `tensor` if it is
  // open, else a copy.
  Operation& opened(int tensor, const GraphNode& node);

  // A copy, even if nothing else needs the tensor.
  Operation& copied(int tensor, const GraphNode& node);

  // The same two where the order of pixels must be that of the image.
  Operation& opened_image(int tensor, const GraphNode& node);
  Operation& copied_image(int tensor, const GraphNode& node);

  // Adds an operation that makes the result of a node.
  Operation& append(Operation of, const GraphNode& node);

  Operation& append_attention(Operation of, const Arrangement& order,
                              const GraphNode& node);

  // A copy of a value as an operation, not yet added. It has the name of a
  // node, if that is not null.
  Operation copy_of(int value, const GraphNode* node) const;

  // Adds an operation that makes a tensor of pixels of an image: each row has
  // pixels of a row, and each column of a column.
  void append_pixels(int from, const std::vector<int>& rows,
                     const std::vector<int>& columns, const GraphNode& node);

  // Adds a function of all channels of an image.
  Operation& across(int tensor, AcrossKind kind, float number,
                    const GraphNode& node);

  // Makes the sums of an operation pixels of a larger image.
  void shuffle(Operation* of, int block);

  // Makes what is beyond an image as its border, and not zero.
  void repeat(int value) { part_.network.values[value].repeats = true; }

  // Notes that a node pads an image, which what convolves it does itself.
  void pad(const GraphNode& node, const Padding& padding);

  // What a convolution takes, and by how much it is padded before.
  int unpadded(int tensor, Padding* padding) const;

  // Does something to the result of an operation.
  void clamp(Operation* of, float low, float high) const;
  void activate(Operation* of, int activation) const;
  // Ends what is done to an operation in int8 with the numbers of what a node
  // makes, times `factors` by channel where they are not below zero, and times
  // `below` where they are. `rounds_factors` for what XNNPACK computes so.
  void rescale(Operation* of, const GraphNode& node, std::vector<float> factors,
               std::vector<float> below, bool rounds_factors) const;
  // The same times one; nothing, where the numbers have the same scale.
  void requantize(Operation* of, const GraphNode& node,
                  bool rounds_factors) const;
  // Multiplies by `a` and adds `b`, by channel.
  void scale(Operation* of, std::vector<float> a, std::vector<float> b) const;
  void push(Operation* of, Post post) const;

  // Reads a constant of one number, or one for each channel. Returns what is
  // wrong with it, or nothing.
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

  // Makes the value of `tensor` the pixels of another, from outside, of a type.
  // Returns whether nothing else has a use for it.
  bool take_pixels(int tensor, int source, PixelType type);
  // Notes that a tensor has the value of another, as pixels of a type.
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
  // Values, by tensor that has some channels, or some pixels.
  std::map<int, int> selected_;
  std::vector<int> again_;  // Values that are made in another order, too.
  int node_ = -1;        // That is built.
  std::set<int> built_;  // Those before.
  struct Rearranged {
    int value;
    Arrangement order;
    int made;
  };
  std::vector<Rearranged> rearranged_;
  std::string error_;
  std::map<int, Padded> pads_;  // By tensor that is made.
  struct Given {
    int source;
    PixelType type;
  };
  std::map<int, Given> given_;  // By tensor.
};

}  // namespace issp

#endif  // ISSP_BUILDER_H_
