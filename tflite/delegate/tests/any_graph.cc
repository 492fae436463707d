#include "any_graph.h"

#include <climits>
#include <cstring>
#include <limits>
#include <utility>

#include "layers.h"
#include "transformers.h"

namespace issp::testing {
namespace {

int hostile(int number, Random* random) {
  switch (random->below(8)) {
    case 0:
      return number < INT_MAX ? number + 1 : number;
    case 1:
      return number > INT_MIN ? number - 1 : number;
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

// A graph that computes sizes of images from the size of its image.
class Sizes {
 public:
  Sizes(Model* model, Random* random) : model_(*model), random_(*random) {}

  void make() {
    const Shape shape{1, random_.between(1, 9), random_.between(1, 9),
                      random_.between(1, 3)};
    const int image = model_.input(shape, true);
    const int sizes = node(tflite::kShape, {image}, {4});
    const int height = changed(number(sizes, 1));
    const int width = changed(number(sizes, 2));
    Convolution of;
    of.outputs = 4;
    const int made = convolve(&model_, image, of, &random_);
    const int channels = random_.below(4) ? of.outputs : 1;
    const int wanted =
        node(tflite::kPack, {list({1}), height, width, list({channels})}, {4},
             tflite::PackParameters{4, 0});
    const Shape same = model_.shape(made);
    int out;
    if (random_.below(2)) {
      out = node(tflite::kReshape, {made, wanted}, same);
    } else {
      const int begins = list({0, 0, 0, 0}), steps = list({1, 1, 1, 1});
      out = node(tflite::kStridedSlice, {made, begins, wanted, steps}, same,
                 tflite::StridedSliceParameters{});
    }
    model_.tensors[size_t(out)].encoding.type = tflite::kFloat32;
    model_.tensors[size_t(out)].is_dynamic = true;
    model_.output(random_.below(2) ? convolve(&model_, out, of, &random_)
                                   : out);
  }

 private:
  int list(const std::vector<int>& numbers) {
    const int made = model_.integers(numbers);
    // A single number has no dimension.
    if (numbers.size() == 1) model_.tensors[size_t(made)].array.shape = {};
    return made;
  }

  template <class... Parameters>
  int node(int code, const std::vector<int>& inputs, const Shape& shape,
           const Parameters&... parameters) {
    Model::Variable made;
    made.array.shape = shape;
    made.encoding.type = tflite::kInt32;
    model_.tensors.push_back(made);
    Model::Layer layer{code, inputs, {int(model_.tensors.size()) - 1}, {}};
    (append(&parameters, sizeof(parameters), &layer.parameters), ...);
    model_.layers.push_back(std::move(layer));
    return model_.layers.back().outputs[0];
  }

  static void append(const void* from, size_t bytes, std::vector<char>* to) {
    const char* begin = static_cast<const char*>(from);
    to->insert(to->end(), begin, begin + bytes);
  }

  int number(int sizes, int at) {
    tflite::StridedSliceParameters of{};
    of.shrink_axis_mask = 1;
    const int begin = model_.integers({at});
    const int end = model_.integers({at + 1});
    const int step = model_.integers({1});
    return node(tflite::kStridedSlice, {sizes, begin, end, step}, {}, of);
  }

  // Does some arithmetic that often leads to the same number.
  int changed(int number) {
    for (int i = random_.below(3); i > 0; --i) {
      const int by = random_.of<int>({1, 1, 2, 8});
      switch (random_.below(4)) {
        case 0:
          number = arithmetic(tflite::kMul, number, by);
          number = node(tflite::kFloorDiv, {number, list({by})}, {});
          break;
        case 1:
          number = arithmetic(tflite::kAdd, number, by);
          number = arithmetic(tflite::kSub, number, by);
          break;
        case 2:
          number = node(tflite::kNeg, {number}, {});
          number = node(tflite::kNeg, {number}, {});
          break;
        case 3:
          number = node(random_.of<int>({tflite::kFloorMod, tflite::kMaximum,
                                         tflite::kMinimum, tflite::kLess,
                                         tflite::kEqual, tflite::kRange,
                                         tflite::kFill, tflite::kTile}),
                        {number, list({by})}, {});
      }
    }
    return number;
  }

  int arithmetic(int code, int number, int by) {
    return node(code, {number, list({by})}, {},
                tflite::ElementwiseParameters{0});
  }

  Model& model_;
  Random& random_;
};

}  // namespace

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

AnyGraph any_graph(Random* random) {
  AnyGraph made;
  switch (random->below(8)) {
    case 0:
    case 1:
      made.model = random_transformer(random);
      break;
    case 2:
    case 3: {
      Int8Graph graph(random->bits(), random->below(2));
      made.model = std::move(graph.model);
      made.numbers = std::move(graph.numbers);
      break;
    }
    case 4:
      Sizes(&made.model, random).make();
      break;
    default: {
      const bool is_dynamic = random->below(2);
      const int image = made.model.input(
          {1, random->between(1, 9), random->between(1, 12),
           random->between(1, 4)},
          is_dynamic);
      random_network(&made.model, image, random->between(1, 5), is_dynamic,
                     random);
    }
  }
  return made;
}

void GraphMutator::change_something() {
  if (model_.layers.empty()) return;
  const int layer = random_.below(int(model_.layers.size()));
  tflite::Node& node = interpreter_.node(layer);
  switch (random_.below(9)) {
    case 0:
    case 1:
    case 2: {
      const std::vector<int>& outputs = model_.layers[size_t(layer)].outputs;
      change_shape(random_.of(outputs));
      return;
    }
    case 3:
    case 4:
      change_integers();
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
      change_type();
  }
}

void GraphMutator::change_anything() {
  if (model_.layers.empty()) return;
  const int layer = random_.below(int(model_.layers.size()));
  switch (random_.below(14)) {
    case 0:
      change_shape(any_tensor());
      return;
    case 1:
      change_signature();
      return;
    case 2:
      change_operator(layer);
      return;
    case 3:
    case 4:
      change_data();
      return;
    case 5:
    case 6:
      change_sparsity();
      return;
    case 7:
      change_quantization();
      return;
    case 8:
      change_outputs(&interpreter_.node(layer).outputs);
      return;
  }
  change_something();
}

int GraphMutator::any_tensor() {
  return random_.below(int(model_.tensors.size()));
}

// A constant, or -1 if there is none.
int GraphMutator::any_constant() {
  std::vector<int> constants;
  for (int i = 0; i < int(model_.tensors.size()); ++i) {
    if (model_.tensors[size_t(i)].is_constant) constants.push_back(i);
  }
  return constants.empty() ? -1 : random_.of(constants);
}

void GraphMutator::change_shape(int tensor) {
  Shape shape = to_vector(interpreter_.tensor(tensor).shape);
  change(&shape, &random_);
  interpreter_.resize(tensor, shape);
}

void GraphMutator::change_signature() {
  tflite::Tensor& tensor = interpreter_.tensor(any_tensor());
  std::vector<int> signature;
  if (tensor.shape_signature) signature = to_vector(tensor.shape_signature);
  change(&signature, &random_);
  arrays_.push_back(new_integers(signature));
  tensor.shape_signature = arrays_.back().get();
}

// Changes the numbers or the size of a constant of integers.
void GraphMutator::change_integers() {
  std::vector<int> constants;
  for (int i = 0; i < int(model_.tensors.size()); ++i) {
    if (!model_.tensors[size_t(i)].integers.empty()) constants.push_back(i);
  }
  if (constants.empty()) return;
  tflite::Tensor& tensor = interpreter_.tensor(random_.of(constants));
  if (!tensor.data) return;
  std::vector<int> numbers(tensor.bytes / sizeof(int));
  if (!numbers.empty()) {
    std::memcpy(numbers.data(), tensor.data, sizeof(int) * numbers.size());
  }
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
void GraphMutator::change_inputs(size_t layer, tflite::IntArray** array) {
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

// Makes a node write any tensor, or a tensor that does not exist.
void GraphMutator::change_outputs(tflite::IntArray** array) {
  std::vector<int> tensors = to_vector(*array);
  const int any = random_.below(8) ? any_tensor() : hostile(0, &random_);
  if (tensors.empty() || random_.below(3) == 0) {
    tensors.push_back(any);
  } else {
    tensors[size_t(random_.below(int(tensors.size())))] = any;
  }
  arrays_.push_back(new_integers(tensors));
  *array = arrays_.back().get();
}

void GraphMutator::remove_outputs(tflite::IntArray** array) {
  std::vector<int> tensors = to_vector(*array);
  tensors.resize(size_t(random_.below(int(tensors.size()) + 1)));
  arrays_.push_back(new_integers(tensors));
  *array = arrays_.back().get();
}

// Each bool stays a valid one.
void GraphMutator::change_parameters(size_t layer, tflite::Node* node) {
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

void GraphMutator::change_type() {
  interpreter_.tensor(any_tensor()).type =
      random_.of<int>({tflite::kFloat32, tflite::kInt32, tflite::kInt8,
                       tflite::kInt64});
}

// Makes an operator opaque, or another one without its parameters.
void GraphMutator::change_operator(int layer) {
  static int external = 0;
  tflite::Node* node = nullptr;
  tflite::Registration* of = nullptr;
  interpreter_.context()->get_node_and_registration(interpreter_.context(),
                                                    layer, &node, &of);
  if (random_.below(2)) {
    of->invoke = nullptr;
    of->external = &external;
    return;
  }
  // The parameters of the new operator could be longer.
  node->parameters = nullptr;
  of->operator_code = random_.below(2) ? random_.below(160)
                                       : model_.layers[size_t(random_.below(
                                             int(model_.layers.size())))].code;
}

// Gives a constant more or fewer bytes, none, or makes it no constant.
void GraphMutator::change_data() {
  const int constant = any_constant();
  if (constant < 0) return;
  tflite::Tensor& tensor = interpreter_.tensor(constant);
  switch (random_.below(5)) {
    case 0:
      // It is outside of the file.
      tensor.data = nullptr;
      tensor.bytes = 0;
      return;
    case 1:
      tensor.allocation_type = random_.between(0, 8);
      return;
    case 2:
      tensor.type = random_.below(tflite::kTypes);
      return;
  }
  if (!tensor.data) return;
  const size_t before = tensor.bytes;
  const size_t bytes =
      random_.below(2) ? size_t(random_.below(int(before) + 1))
                       : before + size_t(random_.between(1, 4096));
  memory_.push_back(new_memory(bytes));
  std::memset(memory_.back().get(), 1, bytes);
  std::memcpy(memory_.back().get(), tensor.data, std::min(bytes, before));
  tensor.data = memory_.back().get();
  tensor.bytes = bytes;
}

void GraphMutator::change_sparsity() {
  std::vector<int> sparse;
  for (int i = 0; i < int(model_.tensors.size()); ++i) {
    const tflite::Sparsity* of = interpreter_.tensor(i).sparsity;
    if (of && of->dimension_count > 0) sparse.push_back(i);
  }
  if (sparse.empty()) return;
  tflite::Sparsity& of = *interpreter_.tensor(random_.of(sparse)).sparsity;
  tflite::DimensionMetadata& level =
      of.dimensions[random_.below(of.dimension_count)];
  const auto change_array = [&](tflite::IntArray** array) {
    std::vector<int> numbers;
    if (*array) numbers = to_vector(*array);
    change(&numbers, &random_);
    arrays_.push_back(new_integers(numbers));
    *array = arrays_.back().get();
  };
  switch (random_.below(7)) {
    case 0:
      level.format = random_.below(3);
      return;
    case 1:
      level.dense_size = hostile(level.dense_size, &random_);
      return;
    case 2:
    case 3:
      change_array(&level.segments);
      return;
    case 4:
      change_array(&level.indices);
      return;
    case 5:
      change_array(&of.traversal_order);
      return;
    case 6:
      change_array(&of.block_map);
  }
}

void GraphMutator::change_quantization() {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  Numbers of{{0.5f}, {0}};
  of.is_affine = random_.below(8) > 0;
  of.has_parameters = random_.below(8) > 0;
  of.has_scales = random_.below(8) > 0;
  of.has_zero_points = random_.below(8) > 0;
  of.scales.assign(size_t(random_.of<int>({0, 1, 1, 1, 4})),
                   random_.of<float>({0.5f, 0.01f, 0, -1, kNan, kInfinite,
                                      1e-40f, 3e38f}));
  of.zero_points.assign(
      random_.below(4) ? of.scales.size() : size_t(random_.below(5)),
      hostile(0, &random_));
  if (random_.below(4) == 0) of.dimension = hostile(0, &random_);
  const int tensor = any_tensor();
  quantised_.push_back(
      std::make_unique<Quantised>(of, &interpreter_.tensor(tensor)));
}

}  // namespace issp::testing
