// Reports C++ exceptions to the runtime, whose interface is C.

#ifndef ISSP_FAILURE_H_
#define ISSP_FAILURE_H_

#include <exception>
#include <string>

#include "tflite_abi.h"

namespace issp {

constexpr char kName[] = "IsspSparseDelegate";

inline int fail(tflite::Context* context, const char* reason) {
  context->report_error(context, "%s: %s.", kName, reason);
  return tflite::kError;
}

inline int fail(tflite::Context* context, const std::string& reason) {
  return fail(context, reason.c_str());
}

// Calls a function that may throw, because memory or threads are missing.
template <class Function>
int guarded(tflite::Context* context, const Function& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    return fail(context, error.what());
  }
}

}  // namespace issp

#endif  // ISSP_FAILURE_H_
