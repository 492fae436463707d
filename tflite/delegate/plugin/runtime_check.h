// Compares the structures of `tflite_abi.h` with those of a runtime.

#ifndef ISSP_RUNTIME_CHECK_H_
#define ISSP_RUNTIME_CHECK_H_

#include <string>

#include "tflite_abi.h"

namespace issp {

// Returns how a runtime differs from `tflite_abi.h`, or an empty string.
//
// The operating system reads the memory, so that invalid pointers are detected.
// This takes about 10 microseconds per tensor.
std::string check_runtime(tflite::Context* context);

}  // namespace issp

#endif  // ISSP_RUNTIME_CHECK_H_
