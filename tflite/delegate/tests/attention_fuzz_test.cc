// Graphs of transformers with wrong files. Nothing is read or written out of
// bounds, and results have the declared shapes.

#include <climits>
#include <cstring>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"
#include "transformers.h"

namespace issp::testing {
namespace {

Model random_transformer(Random* random) {
  Attending of = random_attending(random);
  of.heads = random->between(1, 3);
  const Shape shape =
      image_of(of, random->between(1, 2), random->between(1, 5), random);
  Model model;
  const int image = model.input(shape);
  int made = random->below(2) ? transform(&model, image, of, random)
                              : attend(&model, image, of, random).image;
  if (random->below(2)) {
    Convolution by;
    by.outputs = random->between(1, 5);
    made = convolve(&model, made, by, random);
  }
  model.output(made);
  return model;
}

int hostile(int number, Random* random) {
  switch (random->below(8)) {
    case 0:
      return number + 1;
    case 1:
      return number - 1;
    case 2:
      return number > INT_MIN / 2 && number < INT_MAX / 2 ? 2 * number : 0;
    case 3:
      return number / 2;
    case 4:
      return random->of<int>({0, 1, -1, 2, 3, 4, 5, 16});
    case 5:
      return random->of<int>({INT_MAX, INT_MIN, 1 << 30, 65536, 1 << 24});
    case 6:
      return number > INT_MIN ? -number : number;
  }
  return random->between(0, 8);
}

void change(std::vector<int>* numbers, Random* random) {
  if (numbers->empty() || random->below(6) == 0) {
    numbers->resize(size_t(random->between(0, int(numbers->size()) + 2)),
                    hostile(1, random));
  } else if (random->below(4) == 0) {
    // Another order of the same numbers.
    std::swap(random->of(*numbers) == 0 ? numbers->front() : numbers->back(),
              (*numbers)[size_t(random->below(int(numbers->size())))]);
  } else {
    int& number = (*numbers)[size_t(random->below(int(numbers->size())))];
    number = hostile(number, random);
  }
}

// The changed arrays of nodes live as long as this.
class Mutator {
 public:
  Mutator(const Model& model, Interpreter* interpreter, Random* random)
      : model_(model), interpreter_(*interpreter), random_(*random) {}

  void change_something() {
    const int layer = random_.below(int(model_.layers.size()));
    tflite::Node& node = interpreter_.node(layer);
    switch (random_.below(9)) {
      case 0:
      case 1:
      case 2:
        change_shape(random_.of(model_.layers[size_t(layer)].outputs));
        return;
      case 3:
      case 4:
        change_constant();
        return;
      case 5:
        change_inputs(size_t(layer), &node.inputs);
        return;
      case 6:
        if (random_.below(3) == 0) remove_outputs(&node.outputs);
        return;
      case 7:
        change_parameters(size_t(layer), &node);
        return;
      case 8:
        change_tensor();
    }
  }

 private:
  void change_shape(int tensor) {
    Shape shape = to_vector(interpreter_.tensor(tensor).shape);
    change(&shape, &random_);
    interpreter_.resize(tensor, shape);
  }

  // Changes the numbers or the size of a constant of integers.
  void change_constant() {
    std::vector<int> constants;
    for (int i = 0; i < int(model_.tensors.size()); ++i) {
      if (!model_.tensors[size_t(i)].integers.empty()) constants.push_back(i);
    }
    if (constants.empty()) return;
    tflite::Tensor& tensor = interpreter_.tensor(random_.of(constants));
    const int* begin = static_cast<const int*>(tensor.data);
    std::vector<int> numbers(begin, begin + tensor.bytes / sizeof(int));
    change(&numbers, &random_);
    memory_.push_back(new_memory(sizeof(int) * numbers.size()));
    if (!numbers.empty()) {
      std::memcpy(memory_.back().get(), numbers.data(),
                  sizeof(int) * numbers.size());
    }
    tensor.data = memory_.back().get();
    tensor.bytes = sizeof(int) * numbers.size();
  }

  // Replaces inputs by earlier tensors, or changes their number.
  void change_inputs(size_t layer, tflite::IntArray** array) {
    std::vector<int> tensors = to_vector(*array);
    const int any = random_.below(model_.layers[layer].outputs[0]);
    if (tensors.empty() || random_.below(3) == 0) {
      tensors.resize(size_t(random_.between(0, int(tensors.size()) + 1)), any);
    } else {
      tensors[size_t(random_.below(int(tensors.size())))] =
          random_.below(8) ? any : -1;
    }
    arrays_.push_back(new_integers(tensors));
    *array = arrays_.back().get();
  }

  void remove_outputs(tflite::IntArray** array) {
    std::vector<int> tensors = to_vector(*array);
    tensors.resize(size_t(random_.below(int(tensors.size()) + 1)));
    arrays_.push_back(new_integers(tensors));
    *array = arrays_.back().get();
  }

  // Each bool stays a valid one.
  void change_parameters(size_t layer, tflite::Node* node) {
    if (!node->parameters || random_.below(3) == 0) {
      node->parameters = nullptr;
      return;
    }
    const int code = model_.layers[layer].code;
    const size_t bytes = model_.layers[layer].parameters.size();
    size_t numbers = bytes / sizeof(int);
    if (code == tflite::kFullyConnected) --numbers;
    if (numbers == 0 || bytes % sizeof(int)) {
      static_cast<bool*>(node->parameters)[random_.below(int(bytes))] ^= true;
      return;
    }
    int& number =
        static_cast<int*>(node->parameters)[random_.below(int(numbers))];
    number = hostile(number, &random_);
  }

  void change_tensor() {
    tflite::Tensor& tensor =
        interpreter_.tensor(random_.below(int(model_.tensors.size())));
    tensor.type = random_.of<int>({tflite::kFloat32, tflite::kInt32,
                                   tflite::kInt8, tflite::kInt64});
  }

  const Model& model_;
  Interpreter& interpreter_;
  Random& random_;
  std::vector<Memory> memory_;
  std::vector<Integers> arrays_;
};

// Whether the tensors fit into memory. The runtime only allocates inputs and
// outputs of the delegate's node.
bool has_memory(const Model& model, Interpreter* interpreter) {
  int64_t bytes = 0;
  for (const std::vector<int>* all : {&model.inputs, &model.outputs}) {
    for (int i : *all) {
      for (int size : to_vector(interpreter->tensor(i).shape)) {
        if (size < 0 || size > 4096) return false;
      }
      bytes += size_of(to_vector(interpreter->tensor(i).shape));
    }
  }
  return bytes < 1 << 22;
}

// Applies a delegate, and runs the graph if all of it is taken.
bool runs(const Model& model, const char* threads, Interpreter* interpreter,
          Random* random) {
  const auto delegate = new_delegate({{"always", "1"},
                                      {"num_threads", threads},
                                      {"tuning_seconds", "0"}});
  bool runs = interpreter->apply(delegate.get());
  runs = runs && interpreter->left() == 0 && has_memory(model, interpreter) &&
         interpreter->allocate() && has_memory(model, interpreter);
  if (!runs) return false;
  const int image = model.inputs[0];
  interpreter->set(
      image,
      random_image(to_vector(interpreter->tensor(image).shape), random));
  return interpreter->invoke();
}

TEST(files_of_transformers_that_lie_do_no_harm) {
  int ran = 0;
  const int all = cases(1500);
  for (int i = 0; i < all; ++i) {
    Random random{uint64_t(20000 + i)};
    const Model model = random_transformer(&random);
    Interpreter interpreter(model);
    Mutator mutator(model, &interpreter, &random);
    for (int changes = random.between(0, 3); changes > 0; --changes) {
      mutator.change_something();
    }
    ran += runs(model, random.below(2) ? "1" : "2", &interpreter, &random);
  }
  EXPECT(ran >= all / 5) << ran;
}

}  // namespace
}  // namespace issp::testing
