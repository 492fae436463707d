// Operators that compute sizes, besides those of tflite_abi.h, and the names of
// all operators.

#ifndef ISSP_CODES_H_
#define ISSP_CODES_H_

namespace issp::engine {

enum SizeOperator {
  kDiv = 42,
  kSqueeze = 43,
  kCast = 53,
  kLess = 58,
  kNeg = 59,
  kGreater = 61,
  kGreaterEqual = 62,
  kLessEqual = 63,
  kSelect = 64,
  kTile = 69,
  kExpandDims = 70,
  kEqual = 71,
  kNotEqual = 72,
  kSum = 74,
  kShape = 77,
  kReduceProd = 81,
  kPack = 83,
  kLogicalOr = 84,
  kLogicalAnd = 86,
  kLogicalNot = 87,
  kFloorDiv = 90,
  kFill = 94,
  kFloorMod = 95,
  kRange = 96,
  kSelectV2 = 123,
  kBroadcastTo = 130,
};

// As TFLite's files call an operator, or null.
const char* name_of_code(int code);

constexpr int kCustom = 32;

}  // namespace issp::engine

#endif  // ISSP_CODES_H_
