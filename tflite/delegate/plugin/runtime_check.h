// Compares the structures of `tflite_abi.h` with those of a runtime.

#ifndef ISSP_RUNTIME_CHECK_H_
#define ISSP_RUNTIME_CHECK_H_

#include <string>

#include "tflite_abi.h"

namespace issp {

// Returns how a runtime differs from what `tflite_abi.h` declares, or nothing.
//
// Memory is looked at through the kernel, so that a pointer that is none is
// found and not followed. It takes some 10 microseconds a tensor.
std::string check_runtime(tflite::Context* context);

}  // namespace issp

#endif  // ISSP_RUNTIME_CHECK_H_
