#include "attending.h"

#include "layers.h"
#include "moves.h"

namespace issp::testing {
namespace {

using Elementwise = tflite::ElementwiseParameters;
using Parts = std::vector<int>;

int fully_connect(Model* model, int tensor, int outputs, Random* random) {
  const int inputs = model->shape(tensor).back();
  const int kernel =
      model->constant(random_array({outputs, inputs}, 0.3, random));
  const int bias = model->constant(random_array({outputs}, 0, random));
  return model->node(tflite::kFullyConnected, {tensor, kernel, bias},
                     tflite::FullyConnectedParameters{0, 0, true});
}

// Builds attention within windows of an image.
class Windows {
 public:
  Windows(Model* model, const Shape& image, const Attending& of,
          Random* random)
      : model_(*model),
        of_(of),
        batch_(image[0]),
        down_(image[1] / of.rows),
        across_(image[2] / of.columns),
        random_(*random) {}

  Attended attend(int image) {
    image = roll(&model_, image, of_.down, of_.across);
    Attended made;
    Parts parts = parts_of(image);
    if (of_.place == Attending::kImage) made.convolved = parts[2];
    if (of_.scale == Attending::kOfImage) parts[0] = scaled(parts[0]);
    made.queries = operand(parts[0], of_.channels, of_.adjoint_queries);
    made.keys = operand(parts[1], of_.channels, !of_.adjoint_keys);
    made.values = operand(parts[2], of_.values, of_.adjoint_values);
    if (of_.scale == Attending::kOfQueries) made.queries = scaled(made.queries);
    if (of_.scale == Attending::kOfKeys) made.keys = scaled(made.keys);
    made.products =
        batch_matmul(&model_, made.queries, made.keys, of_.adjoint_queries,
                     of_.adjoint_keys);
    int scores = made.products;
    for (Attending::Added added : of_.added) scores = add_to(scores, added);
    made.scores = model_.node(tflite::kSoftmax, {scores},
                              tflite::SoftmaxParameters{1});
    made.means = batch_matmul(&model_, made.scores, made.values, false,
                              of_.adjoint_values);
    made.image = project(&model_, image_of(made.means), channels_of(image),
                         &random_);
    return made;
  }

 private:
  int pixels() const { return of_.rows * of_.columns; }
  int windows() const { return batch_ * down_ * across_; }
  int channels_of(int tensor) const { return model_.shape(tensor).back(); }
  int number() { return model_.constant({{}, {0.7 * random_.number()}}); }

  int scaled(int tensor) {
    return model_.node(tflite::kMul, {tensor, number()}, Elementwise{0});
  }

  // The windows of an image. Each is an image or a list.
  int windows_of(int image, bool are_lists) {
    const int channels = channels_of(image);
    int tensor = reshape(&model_, image, {batch_ * down_, of_.rows, across_,
                                          of_.columns, channels});
    tensor = transpose(&model_, tensor, {0, 2, 1, 3, 4});
    if (are_lists) {
      return reshape(&model_, tensor, {windows(), pixels(), channels});
    }
    return reshape(&model_, tensor,
                   {windows(), of_.rows, of_.columns, channels});
  }

  int made_by_pixel(int tensor, int channels) {
    return of_.place == Attending::kLists
               ? fully_connect(&model_, tensor, channels, &random_)
               : project(&model_, tensor, channels, &random_);
  }

  // Queries, keys and values, with all heads in their channels.
  Parts parts_of(int image) {
    int tensor = image;
    if (of_.place != Attending::kImage) {
      tensor = windows_of(image, of_.place == Attending::kLists);
    }
    const int channels = of_.heads * of_.channels;
    const int values = of_.heads * of_.values;
    if (of_.parts == Attending::kConvolutions) {
      return {made_by_pixel(tensor, channels), made_by_pixel(tensor, channels),
              made_by_pixel(tensor, values)};
    }
    const int all = made_by_pixel(tensor, 2 * channels + values);
    const int last = int(model_.shape(all).size()) - 1;
    if (of_.parts == Attending::kSplit) {
      return split(&model_, all, random_.below(2) ? last : -1, 3);
    }
    Parts parts;
    int begin = 0;
    for (int size : {channels, channels, values}) {
      Shape sizes = model_.shape(all);
      std::vector<int> begins(sizes.size(), 0);
      begins.back() = begin;
      sizes.back() = size;
      begin += size;
      parts.push_back(of_.parts == Attending::kSlices
                          ? slice(&model_, all, begins, sizes)
                          : strided_slice(&model_, all, begins, sizes));
    }
    return parts;
  }

  // The operand of a product. For each window and head, it has pixels and
  // channels, or channels and pixels if it is `transposed`.
  int operand(int tensor, int channels, bool transposed) {
    if (of_.place == Attending::kImage) {
      tensor = reshape(&model_, tensor,
                       {batch_ * down_, of_.rows, across_, of_.columns,
                        of_.heads, channels});
      std::vector<int> order = of_.heads_first
                                   ? std::vector<int>{4, 0, 2, 1, 3, 5}
                                   : std::vector<int>{0, 2, 4, 1, 3, 5};
      // Sometimes with one TRANSPOSE.
      if (transposed && random_.below(2)) {
        order = {order[0], order[1], order[2], 5, order[3], order[4]};
        transposed = false;
        tensor = transpose(&model_, tensor, order);
        return batched(tensor, channels, pixels());
      }
      tensor = batched(transpose(&model_, tensor, order), pixels(), channels);
    } else {
      tensor = reshape(&model_, tensor,
                       {windows(), pixels(), of_.heads, channels});
      tensor = transpose(&model_, tensor,
                         of_.heads_first ? std::vector<int>{2, 0, 1, 3}
                                         : std::vector<int>{0, 2, 1, 3});
      tensor = batched(tensor, pixels(), channels);
    }
    if (!transposed) return tensor;
    return transpose(&model_, tensor, of_.is_flat
                                          ? std::vector<int>{0, 2, 1}
                                          : std::vector<int>{0, 1, 3, 2});
  }

  int batched(int tensor, int rows, int columns) {
    if (of_.is_flat) {
      return reshape(&model_, tensor,
                     {windows() * of_.heads, rows, columns});
    }
    if (of_.heads_first) {
      return reshape(&model_, tensor, {of_.heads, windows(), rows, columns});
    }
    return reshape(&model_, tensor, {windows(), of_.heads, rows, columns});
  }

  // The same in each image of the batch.
  Array repeated(Shape shape, size_t dimension) {
    shape[dimension] /= batch_;
    const Array one = random_array(shape, 0.3, &random_);
    size_t inner = 1;
    for (size_t i = dimension; i < shape.size(); ++i) inner *= size_t(shape[i]);
    shape[dimension] *= batch_;
    Array all{shape, {}};
    for (size_t i = 0; i < one.values.size(); i += inner) {
      for (int image = 0; image < batch_; ++image) {
        all.values.insert(all.values.end(), one.values.begin() + long(i),
                          one.values.begin() + long(i + inner));
      }
    }
    return all;
  }

  Array added_to(const Shape& shape, Attending::Added added) {
    const int side = pixels();
    const size_t dimension = of_.heads_first ? 1 : 0;
    switch (added) {
      case Attending::kNumber:
        return {{}, {random_.number()}};
      case Attending::kByKey:
        return random_array({side}, 0, &random_);
      case Attending::kByQuery:
        return random_array({1, side, 1}, 0, &random_);
      case Attending::kOne:
        return random_array({side, side}, 0, &random_);
      case Attending::kTables:
        if (of_.is_flat) break;
        if (of_.heads_first) {
          return random_array({of_.heads, 1, side, side}, 0, &random_);
        }
        return random_array(random_.below(2)
                                ? Shape{of_.heads, side, side}
                                : Shape{1, of_.heads, side, side},
                            0, &random_);
      case Attending::kMasks: {
        if (of_.is_flat) break;
        Shape masks = shape;
        masks[1 - dimension] = 1;
        Array all = repeated(masks, dimension);
        for (double& number : all.values) number = number < 0 ? -100 : 0;
        return all;
      }
      case Attending::kAll:
        if (of_.is_flat) break;
        return repeated(shape, dimension);
    }
    return random_array({1, side, side}, 0, &random_);
  }

  int add_to(int scores, Attending::Added added) {
    const int constant =
        model_.constant(added_to(model_.shape(scores), added));
    if (of_.subtracts) {
      return model_.node(tflite::kSub, {scores, constant}, Elementwise{0});
    }
    return random_.below(2) ? add(&model_, scores, constant)
                            : add(&model_, constant, scores);
  }

  // The image of windows.
  int image_of(int tensor) {
    const std::vector<int> order = of_.heads_first
                                       ? std::vector<int>{1, 3, 2, 4, 0, 5}
                                       : std::vector<int>{0, 3, 1, 4, 2, 5};
    const Shape by_head =
        of_.heads_first
            ? Shape{of_.heads, batch_ * down_, across_, of_.rows, of_.columns,
                    of_.values}
            : Shape{batch_ * down_, across_, of_.heads, of_.rows, of_.columns,
                    of_.values};
    tensor = transpose(&model_, reshape(&model_, tensor, by_head), order);
    tensor = reshape(&model_, tensor, {batch_, down_ * of_.rows,
                                       across_ * of_.columns,
                                       of_.heads * of_.values});
    return roll(&model_, tensor, -of_.down, -of_.across);
  }

  Model& model_;
  const Attending& of_;
  const int batch_;
  const int down_;
  const int across_;
  Random& random_;
};

}  // namespace

Attending random_attending(Random* random) {
  Attending of;
  const Shape sides = random->of<Shape>({{4, 4}, {2, 12}, {8, 8}, {3, 5},
                                         {1, 4}, {4, 1}, {5, 3}, {2, 2},
                                         {12, 2}, {7, 4}});
  of.rows = sides[0];
  of.columns = sides[1];
  of.heads = random->between(1, 6);
  of.channels = random->chance(0.1) ? 17 : random->between(1, 9);
  of.values = random->below(2) ? of.channels : random->between(1, 12);
  of.heads_first = random->below(2);
  of.is_flat = random->chance(0.3);
  of.adjoint_queries = random->chance(0.3);
  of.adjoint_keys = random->below(2);
  of.adjoint_values = random->chance(0.3);
  of.place = random->of<Attending::Place>(
      {Attending::kImage, Attending::kImage, Attending::kWindows,
       Attending::kLists});
  of.parts = random->of<Attending::Parts>(
      {Attending::kConvolutions, Attending::kSlices,
       Attending::kStridedSlices, Attending::kSplit});
  if (of.parts == Attending::kSplit) of.values = of.channels;
  of.scale = Attending::Scale(random->below(4));
  // This scale needs an image.
  if (of.scale == Attending::kOfImage && of.place == Attending::kLists) {
    of.scale = Attending::kOfQueries;
  }
  for (int i = random->below(3); i > 0; --i) {
    of.added.push_back(Attending::Added(random->below(7)));
  }
  of.subtracts = random->chance(0.3);
  // Half windows, or other shifts.
  if (random->below(2)) {
    of.down = of.rows / 2;
    of.across = of.columns / 2;
  } else if (random->below(2)) {
    of.down = random->below(of.rows);
    of.across = random->below(of.columns);
  }
  return of;
}

Shape image_of(const Attending& of, int batch, int channels, Random* random) {
  // An image with two rows would not be rolled.
  const int down = random->between(of.rows < 3 ? 3 : 1, 3);
  const int across = random->between(of.columns < 3 ? 3 : 1, 3);
  return {batch, down * of.rows, across * of.columns, channels};
}

Attended attend(Model* model, int image, const Attending& of, Random* random) {
  return Windows(model, model->shape(image), of, random).attend(image);
}

}  // namespace issp::testing
