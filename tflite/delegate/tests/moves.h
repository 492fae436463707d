// Operators that move numbers of tensors, and other steps of transformers.

#ifndef ISSP_MOVES_H_
#define ISSP_MOVES_H_

#include <vector>

#include "fake_runtime.h"
#include "testing.h"

namespace issp::testing {

int reshape(Model* model, int tensor, const Shape& shape);
int transpose(Model* model, int tensor, const std::vector<int>& order);
int slice(Model* model, int tensor, const std::vector<int>& begins,
          const Shape& sizes);
int strided_slice(Model* model, int tensor, const std::vector<int>& begins,
                  const Shape& sizes);
std::vector<int> split(Model* model, int tensor, int axis, int parts);
int concatenate(Model* model, const std::vector<int>& tensors, int axis);
// Gathers rows, columns or others by index.
int gather(Model* model, int tensor, int axis, const std::vector<int>& indices);
int batch_matmul(Model* model, int a, int b, bool adjoint_a, bool adjoint_b);
int mean_of_channels(Model* model, int tensor);

// Rolls an image by `down` rows and `across` columns.
int roll(Model* model, int tensor, int down, int across);

// A 1x1 convolution.
int project(Model* model, int tensor, int outputs, Random* random);

}  // namespace issp::testing

#endif  // ISSP_MOVES_H_
