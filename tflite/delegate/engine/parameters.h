// Reads the parameters of operators from a file into TFLite's structures.

#ifndef ISSP_PARAMETERS_H_
#define ISSP_PARAMETERS_H_

#include "flatbuffer.h"
#include "tflite_abi.h"

namespace issp::engine {

union Parameters {
  tflite::BatchMatMulParameters batch_mat_mul;
  tflite::ConcatenationParameters concatenation;
  tflite::ConvParameters conv;
  tflite::DepthToSpaceParameters depth_to_space;
  tflite::DepthwiseConvParameters depthwise_conv;
  tflite::ElementwiseParameters elementwise;
  tflite::FullyConnectedParameters fully_connected;
  tflite::GatherParameters gather;
  tflite::GeluParameters gelu;
  tflite::LeakyReluParameters leaky_relu;
  tflite::ReducerParameters reducer;
  tflite::ResizeParameters resize;
  tflite::SoftmaxParameters softmax;
  tflite::StridedSliceParameters strided_slice;
  tflite::PackParameters pack;
};

// Reads the parameters of an operator from its options. Returns false if the
// operator has none, or has values that are not supported.
bool read_parameters(int code, const Table& options, Parameters* parameters);

// Converts a tensor type of the file to that of TFLite's C structures, or 0.
int type_of_file(int type);

}  // namespace issp::engine

#endif  // ISSP_PARAMETERS_H_
