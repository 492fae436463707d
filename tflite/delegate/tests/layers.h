// Layers of random networks.

#ifndef ISSP_LAYERS_H_
#define ISSP_LAYERS_H_

#include <string>

#include "fake_runtime.h"
#include "testing.h"

namespace issp::testing {

struct Convolution {
  int outputs = 1;
  int rows = 3;
  int columns = 3;
  int stride = 1;
  int dilation = 1;
  int padding = tflite::kSame;
  int activation = tflite::kNoActivation;
  int groups = 1;
  double sparsity = 0.5;
  int alike = 1;  // Filters with weights at the same places.
  bool has_bias = true;
  int type = tflite::kFloat32;
  bool is_sparse = false;  // Stored as a sparse tensor.
};

// Adds a convolution of a tensor, and returns its output. With a `sparsity` of
// 1, at most one weight is not zero.
int convolve(Model* model, int tensor, const Convolution& of, Random* random);
int convolve_depthwise(Model* model, int tensor, const Convolution& of,
                       Random* random);

// Adds a sparse kernel, and a node that unpacks it.
int sparse_kernel(Model* model, const Shape& shape, double sparsity,
                  Random* random);

int add(Model* model, int a, int b, int activation = 0);
int multiply(Model* model, int a, int b, int activation = 0);
int shuffle(Model* model, int tensor, int block);

// Adds outputs and layers with branches. The delegate does not know some
// layers.
void random_network(Model* model, int input, int layers, bool is_dynamic,
                   Random* random);

Array random_image(const Shape& shape, Random* random);

}  // namespace issp::testing

#endif  // ISSP_LAYERS_H_
