#include "parameters.h"

namespace issp::engine {
namespace {

int byte(const Table& of, int field, int otherwise = 0) {
  return of.number<int8_t>(field, int8_t(otherwise));
}

int whole(const Table& of, int field, int otherwise = 0) {
  return of.number<int32_t>(field, otherwise);
}

bool is_set(const Table& of, int field) {
  return of.number<uint8_t>(field) != 0;
}

// Paddings are numbered from 0 in the file, and from 1 in the structures.
int padding(const Table& of) {
  const int kinds[] = {tflite::kSame, tflite::kValid};
  const int kind = byte(of, 0);
  return kind == 0 || kind == 1 ? kinds[kind] : 0;
}

}  // namespace

// Field numbers are those of TFLite's schema.
bool read_parameters(int code, const Table& of, Parameters* parameters) {
  *parameters = {};
  switch (code) {
    case tflite::kConv2D:
      parameters->conv = {padding(of),     whole(of, 1), whole(of, 2),
                          byte(of, 3),     whole(of, 4, 1), whole(of, 5, 1)};
      return true;
    case tflite::kDepthwiseConv2D:
      parameters->depthwise_conv = {padding(of),     whole(of, 1),
                                    whole(of, 2),    whole(of, 3),
                                    byte(of, 4),     whole(of, 5, 1),
                                    whole(of, 6, 1)};
      return true;
    case tflite::kFullyConnected:
      parameters->fully_connected = {byte(of, 0), byte(of, 1), is_set(of, 2)};
      return true;
    case tflite::kAdd:
    case tflite::kMul:
    case tflite::kSub:
    case tflite::kDiv:
      parameters->elementwise = {byte(of, 0)};
      return true;
    case tflite::kConcatenation:
      parameters->concatenation = {whole(of, 0), byte(of, 1)};
      return true;
    case tflite::kDepthToSpace:
      parameters->depth_to_space = {whole(of, 0)};
      return true;
    case tflite::kResizeBilinear:
      parameters->resize = {is_set(of, 2), is_set(of, 3)};
      return true;
    case tflite::kResizeNearestNeighbor:
      parameters->resize = {is_set(of, 0), is_set(of, 1)};
      return true;
    case tflite::kMean:
    case tflite::kSum:
    case tflite::kReduceProd:
      parameters->reducer = {is_set(of, 0)};
      return true;
    case tflite::kSoftmax:
      parameters->softmax = {of.number<float>(0)};
      return true;
    case tflite::kGelu:
      parameters->gelu = {is_set(of, 0)};
      return true;
    case tflite::kGather:
      parameters->gather = {whole(of, 0), whole(of, 1)};
      return true;
    case tflite::kStridedSlice:
      parameters->strided_slice = {whole(of, 0), whole(of, 1), whole(of, 2),
                                   whole(of, 3), whole(of, 4)};
      // Ends relative to beginnings are not supported; no known file has them.
      return !is_set(of, 5);
    case tflite::kBatchMatMul:
      parameters->batch_mat_mul = {is_set(of, 0), is_set(of, 1)};
      return true;
    case tflite::kLeakyRelu:
      parameters->leaky_relu = {of.number<float>(0)};
      return true;
    case tflite::kPack:
      parameters->pack = {whole(of, 0), whole(of, 1)};
      return true;
    default:
      return false;
  }
}

int type_of_file(int type) {
  constexpr int kTypes[] = {tflite::kFloat32, tflite::kFloat16, tflite::kInt32,
                            tflite::kUint8,   tflite::kInt64,   0,
                            tflite::kBool,    tflite::kInt16,   0,
                            tflite::kInt8};
  const int count = sizeof(kTypes) / sizeof(kTypes[0]);
  return type >= 0 && type < count ? kTypes[type] : 0;
}

}  // namespace issp::engine
