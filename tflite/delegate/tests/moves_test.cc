// Random moves of numbers, and nodes that use them. Results are right,
// whichever nodes are taken.

#include <functional>
#include <vector>

#include "attending.h"
#include "fake_runtime.h"
#include "layers.h"
#include "moves.h"
#include "testing.h"

namespace issp::testing {
namespace {

using Tensors = std::vector<int>;

// Splits sizes into factors, and joins some neighbours.
Shape random_shape(const Shape& shape, Random* random) {
  Shape made;
  for (int size : shape) {
    for (int factor = 2; factor < size; ++factor) {
      if (size % factor == 0 && random->chance(0.5)) {
        made.push_back(factor);
        size /= factor;
      }
    }
    made.push_back(size);
  }
  for (size_t i = 1; i < made.size();) {
    if (made.size() > 6 || random->chance(0.25)) {
      made[i - 1] *= made[i];
      made.erase(made.begin() + long(i));
    } else {
      ++i;
    }
  }
  return made;
}

std::vector<int> random_order(int rank, Random* random) {
  std::vector<int> order;
  for (int i = 0; i < rank; ++i) {
    // The last dimension mostly stays.
    const bool stays = i + 1 == rank && random->chance(0.8);
    order.insert(stays ? order.end()
                       : order.begin() + random->between(0, i),
                 i);
  }
  return order;
}

// Rolls a dimension, or cuts its beginning off.
int turned(Model* model, int tensor, int dimension, int begin, bool is_cut) {
  const Shape shape = model->shape(tensor);
  std::vector<int> begins(shape.size(), 0);
  Shape sizes = shape;
  sizes[size_t(dimension)] = begin;
  const int first = slice(model, tensor, begins, sizes);
  begins[size_t(dimension)] = begin;
  sizes[size_t(dimension)] = shape[size_t(dimension)] - begin;
  const int rest = strided_slice(model, tensor, begins, sizes);
  return is_cut ? rest : concatenate(model, {rest, first}, dimension);
}

// Moves numbers back to their old places.
using Back = std::function<int(int tensor)>;

// Moves all tensors in the same way. They have the same shape.
Back move(Model* model, Tensors* tensors, Random* random) {
  const Shape shape = model->shape((*tensors)[0]);
  const Shape to = random_shape(shape, random);
  const std::vector<int> order = random_order(int(shape.size()), random);
  const int dimension = random->below(int(shape.size()));
  const int size = shape[size_t(dimension)];
  const int begin = size > 1 ? random->between(1, size - 1) : 0;
  const int kind = random->below(8);
  const bool is_cut = random->chance(0.2);
  for (int& tensor : *tensors) {
    if (kind < 3) {
      tensor = reshape(model, tensor, to);
    } else if (kind < 6) {
      tensor = transpose(model, tensor, order);
    } else if (kind == 6 && begin > 0) {
      tensor = turned(model, tensor, dimension, begin, is_cut);
    } else if (kind == 7 && size % 2 == 0) {
      tensor = split(model, tensor, dimension, 2)[size_t(begin % 2)];
    }
  }
  return [=](int tensor) {
    if (kind < 3) return reshape(model, tensor, shape);
    if (kind < 6) {
      std::vector<int> inverse(order.size());
      for (size_t i = 0; i < order.size(); ++i) {
        inverse[size_t(order[i])] = int(i);
      }
      return transpose(model, tensor, inverse);
    }
    const bool has_all = kind == 6 && begin > 0 && !is_cut;
    return has_all ? turned(model, tensor, dimension, size - begin, false)
                   : tensor;
  };
}

int attended(Model* model, const Tensors& of, Random* random) {
  const size_t rank = model->shape(of[0]).size();
  int scores = batch_matmul(model, of[0], of[1], false, true);
  if (random->below(2)) {
    Shape shape = model->shape(scores);
    for (int& size : shape) size = random->below(2) ? size : 1;
    shape.erase(shape.begin(),
                shape.begin() + random->below(int(rank) - 1));
    scores = add(model, scores,
                 model->constant(random_array(shape, 0, random)));
  }
  scores = model->node(tflite::kSoftmax, {scores},
                       tflite::SoftmaxParameters{1});
  return batch_matmul(model, scores, of[2], false, false);
}

TEST(any_moves_before_and_behind_attention_are_right) {
  int taken = 0, whole = 0;
  const int all = cases(500);
  for (int i = 0; i < all; ++i) {
    Random random{uint64_t(i)};
    Model model;
    const Shape shape{random.between(1, 2), random.of<int>({2, 4, 6, 8}),
                      random.of<int>({2, 4, 8, 12}),
                      random.of<int>({1, 2, 3, 4, 6})};
    const int image = model.input(shape);
    Tensors tensors;
    for (int k = 0; k < 3; ++k) {
      tensors.push_back(project(&model, image, shape[3], &random));
    }
    std::vector<Back> backs;
    for (int moves = random.between(0, 4); moves > 0; --moves) {
      backs.push_back(move(&model, &tensors, &random));
    }
    int made = tensors[2];
    const bool attends = model.shape(made).size() > 2;
    if (attends) made = attended(&model, tensors, &random);
    const bool is_whole = size_of(model.shape(made)) == size_of(shape);
    while (is_whole && !backs.empty() && random.chance(0.95)) {
      made = backs.back()(made);
      backs.pop_back();
    }
    for (int moves = random.chance(0.3) ? 2 : 0; moves > 0; --moves) {
      Tensors one{made};
      move(&model, &one, &random);
      made = one[0];
    }
    if (size_of(model.shape(made)) == size_of(shape) && random.below(4)) {
      made = reshape(&model, made, shape);
      made = project(&model, made, 3, &random);
    }
    model.output(made);
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    Options options{{"num_threads", "2"}};
    check(model, inputs, Expected(model, inputs), options, -1,
          "moves " + std::to_string(i));
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    interpreter.apply(delegate.get());
    const int left = interpreter.left();
    whole += attends && left == 0;
    taken += left < int(model.layers.size());
  }
  EXPECT(taken >= all / 2) << taken;
  EXPECT(whole >= all / 6) << whole;
}

// Mirrors, repeats or leaves out rows or columns.
int mirrored(Model* model, int tensor, Random* random) {
  const int axis = random->between(1, 2);
  const int size = model->shape(tensor)[size_t(axis)];
  std::vector<int> places;
  for (int i = random->between(1, size + 3); i > 0; --i) {
    places.push_back(random->below(size));
  }
  return gather(model, tensor, axis, places);
}

// Crops an image to a size, at a random place.
int cropped(Model* model, int tensor, const Shape& sizes, Random* random) {
  const Shape shape = model->shape(tensor);
  std::vector<int> begins;
  for (size_t i = 0; i < shape.size(); ++i) {
    begins.push_back(random->between(0, shape[i] - sizes[i]));
  }
  // STRIDED_SLICE may name only the first dimensions.
  if (random->below(2)) return slice(model, tensor, begins, sizes);
  begins.pop_back();
  return strided_slice(model, tensor, begins,
                       Shape(sizes.begin(), sizes.end() - 1));
}

int random_crop(Model* model, int tensor, Random* random) {
  Shape sizes = model->shape(tensor);
  for (int axis : {1, 2}) sizes[axis] = random->between(1, sizes[axis]);
  return cropped(model, tensor, sizes, random);
}

TEST(mirrored_and_cropped_images_are_right) {
  int whole = 0;
  const int all = cases(400);
  for (int i = 0; i < all; ++i) {
    Random random{uint64_t(i)};
    Model model;
    const Shape shape{random.between(1, 2), random.between(1, 9),
                      random.between(1, 20), random.between(1, 5)};
    const int image = model.input(shape);
    int made = image;
    for (int steps = random.between(1, 5); steps > 0; --steps) {
      const int before = made;
      switch (random.below(6)) {
        case 0:
          made = mirrored(&model, made, &random);
          break;
        case 1:
          made = random_crop(&model, made, &random);
          break;
        case 2: {
          Convolution by;
          by.outputs = random.between(1, 5);
          by.rows = by.columns = random.of<int>({1, 3});
          made = convolve(&model, made, by, &random);
          break;
        }
        case 3:
          made = roll(&model, made, random.below(3), random.below(3));
          break;
        case 4: {
          // Adds two crops of one image with the same size.
          made = random_crop(&model, made, &random);
          const Shape sizes = model.shape(made);
          made = add(&model, made, cropped(&model, before, sizes, &random));
          break;
        }
        default:
          made = model.node(tflite::kRelu, {made});
          // The earlier tensor is needed unchanged.
          if (random.below(2)) made = add(&model, made, before);
      }
    }
    if (made == image) continue;
    model.output(made);
    const std::map<int, Array> inputs{{image, random_image(shape, &random)}};
    check(model, inputs, Expected(model, inputs), {{"num_threads", "2"}}, -1,
          "crops " + std::to_string(i));
    const auto delegate = new_delegate({{"always", "1"}});
    Interpreter interpreter(model);
    interpreter.apply(delegate.get());
    whole += interpreter.left() == 0;
  }
  EXPECT(whole >= all / 2) << whole << " of " << all;
}

}  // namespace
}  // namespace issp::testing
