// Random graphs of all kinds, and wrong changes to them.

#ifndef ISSP_ANY_GRAPH_H_
#define ISSP_ANY_GRAPH_H_

#include <map>
#include <vector>

#include "fake_runtime.h"
#include "int8_graphs.h"
#include "testing.h"

namespace issp::testing {

struct AnyGraph {
  Model model;
  std::map<int, Numbers> numbers;  // Of the tensors in int8.
};

// A transformer of one block, perhaps with a convolution.
Model random_transformer(Random* random);

// A network of convolutions, a transformer, a graph in int8, or a graph that
// computes the sizes of its images.
AnyGraph any_graph(Random* random);

// Changes the graph of an interpreter like a corrupt or hostile file would. It
// must outlive the last use of the interpreter.
class GraphMutator {
 public:
  GraphMutator(const Model& model, Interpreter* interpreter, Random* random)
      : model_(model), interpreter_(*interpreter), random_(*random) {}

  void change_something();
  // Also makes changes that the fake runtime itself does not understand.
  void change_anything();

 private:
  int any_tensor();
  int any_constant();
  void change_shape(int tensor);
  void change_signature();
  void change_integers();
  void change_inputs(size_t layer, tflite::IntArray** array);
  void change_outputs(tflite::IntArray** array);
  void remove_outputs(tflite::IntArray** array);
  void change_parameters(size_t layer, tflite::Node* node);
  void change_type();
  void change_operator(int layer);
  void change_data();
  void change_sparsity();
  void change_quantization();

  const Model& model_;
  Interpreter& interpreter_;
  Random& random_;
  std::vector<Memory> memory_;
  std::vector<Integers> arrays_;
  std::vector<std::unique_ptr<Quantised>> quantised_;
};

}  // namespace issp::testing

#endif  // ISSP_ANY_GRAPH_H_
