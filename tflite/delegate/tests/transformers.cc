#include "transformers.h"

namespace issp::testing {

int normalize(Model* model, int image, const Normalizing& of, Random* random) {
  const int mean = mean_of_channels(model, image);
  const int centered = model->node(tflite::kSub, {image, mean},
                                   tflite::ElementwiseParameters{0});
  int squares;
  if (of.multiplies) {
    squares = multiply(model, centered, centered);
  } else {
    squares = model->node(tflite::kSquaredDifference,
                          random->below(2) ? std::vector<int>{image, mean}
                                           : std::vector<int>{mean, image});
  }
  const int variance = mean_of_channels(model, squares);
  const int shifted =
      add(model, variance, model->constant({{}, {of.epsilon}}));
  const int inverse = model->node(tflite::kRsqrt, {shifted});
  int made = random->below(2) ? multiply(model, centered, inverse)
                              : multiply(model, inverse, centered);
  const int channels = model->shape(image)[3];
  if (of.has_scale) {
    made = multiply(model, made,
                    model->constant(random_array({channels}, 0, random)));
  }
  if (of.has_shift) {
    made = add(model, made,
               model->constant(random_array({channels}, 0, random)));
  }
  return made;
}

int transform(Model* model, int image, const Attending& of, Random* random) {
  const int channels = model->shape(image)[3];
  Normalizing by;
  by.has_scale = random->below(2);
  by.has_shift = random->below(2);
  by.multiplies = random->below(2);
  int made = image;
  if (random->chance(0.8)) made = normalize(model, image, by, random);
  made = attend(model, made, of, random).image;
  if (random->chance(0.8)) made = add(model, made, image);
  image = made;
  made = normalize(model, made, by, random);
  made = project(model, made, 2 * channels, random);
  made = model->node(tflite::kGelu, {made},
                     tflite::GeluParameters{random->below(2) > 0});
  return add(model, image, project(model, made, channels, random));
}

}  // namespace issp::testing
