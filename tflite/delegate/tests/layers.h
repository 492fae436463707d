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
  int alike = 1;  // Filters that have their weights at the same places.
  bool has_bias = true;
  int type = tflite::kFloat32;
  bool is_sparse = false;  // Stored so.
};

// Adds a convolution of a tensor, and returns what it makes. All filters of
// `Convolution::sparsity` 1 but one have only zeros, and that one a non-zero.
int convolve(Model* model, int tensor, const Convolution& of, Random* random);
int convolve_depthwise(Model* model, int tensor, const Convolution& of,
                       Random* random);

// Adds a kernel that is stored sparse, and what unpacks it.
int sparse_kernel(Model* model, const Shape& shape, double sparsity,
                  Random* random);

int add(Model* model, int a, int b, int activation = 0);
int multiply(Model* model, int a, int b, int activation = 0);
int shuffle(Model* model, int tensor, int block);

// Adds layers with branches, some of which the delegate does not know, and
// outputs.
void random_network(Model* model, int input, int layers, bool is_dynamic,
                   Random* random);

Array random_image(const Shape& shape, Random* random);

}  // namespace issp::testing

#endif  // ISSP_LAYERS_H_
