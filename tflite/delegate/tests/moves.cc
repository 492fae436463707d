#include "moves.h"

#include "layers.h"

namespace issp::testing {

int reshape(Model* model, int tensor, const Shape& shape) {
  return model->node(tflite::kReshape, {tensor, model->integers(shape)});
}

int transpose(Model* model, int tensor, const std::vector<int>& order) {
  return model->node(tflite::kTranspose, {tensor, model->integers(order)});
}

int slice(Model* model, int tensor, const std::vector<int>& begins,
          const Shape& sizes) {
  return model->node(tflite::kSlice, {tensor, model->integers(begins),
                                      model->integers(sizes)});
}

int strided_slice(Model* model, int tensor, const std::vector<int>& begins,
                  const Shape& sizes) {
  std::vector<int> ends;
  for (size_t i = 0; i < begins.size(); ++i) {
    ends.push_back(begins[i] + sizes[i]);
  }
  return model->node(
      tflite::kStridedSlice,
      {tensor, model->integers(begins), model->integers(ends),
       model->integers(std::vector<int>(begins.size(), 1))},
      tflite::StridedSliceParameters{});
}

std::vector<int> split(Model* model, int tensor, int axis, int parts) {
  return model->nodes(tflite::kSplit, {model->integers({axis}), tensor},
                      parts);
}

int concatenate(Model* model, const std::vector<int>& tensors, int axis) {
  return model->node(tflite::kConcatenation, tensors,
                     tflite::ConcatenationParameters{axis, 0});
}

int gather(Model* model, int tensor, int axis,
           const std::vector<int>& indices) {
  return model->node(tflite::kGather, {tensor, model->integers(indices)},
                     tflite::GatherParameters{axis, 0});
}

int batch_matmul(Model* model, int a, int b, bool adjoint_a, bool adjoint_b) {
  return model->node(tflite::kBatchMatMul, {a, b},
                     tflite::BatchMatMulParameters{adjoint_a, adjoint_b});
}

int mean_of_channels(Model* model, int tensor) {
  return model->node(tflite::kMean, {tensor, model->integers({3})},
                     tflite::ReducerParameters{true});
}

int roll(Model* model, int tensor, int down, int across) {
  for (int axis : {1, 2}) {
    const Shape shape = model->shape(tensor);
    const int size = shape[size_t(axis)];
    const int by = ((axis == 1 ? down : across) % size + size) % size;
    if (by == 0) continue;
    std::vector<int> begins(4, 0);
    Shape sizes = shape;
    sizes[size_t(axis)] = by;
    const int first = slice(model, tensor, begins, sizes);
    begins[size_t(axis)] = by;
    sizes[size_t(axis)] = size - by;
    const int rest = strided_slice(model, tensor, begins, sizes);
    tensor = concatenate(model, {rest, first}, axis);
  }
  return tensor;
}

int project(Model* model, int tensor, int outputs, Random* random) {
  Convolution of;
  of.rows = of.columns = 1;
  of.outputs = outputs;
  of.sparsity = 0.3;
  return convolve(model, tensor, of, random);
}

}  // namespace issp::testing
