// The exports of the library. They throw no exception, because the caller is C.

// TFLite's structures are only known for 64-bit ABIs. This is not a
// `static_assert`, because the headers of a 32-bit compiler may fail before it.
#if __SIZEOF_POINTER__ != 8
#error "The delegate is for 64-bit ABIs alone."
#endif

#include <cstddef>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>

#include "delegate.h"
#include "failure.h"
#include "options.h"
#include "report.h"
#include "tflite_abi.h"

#ifndef ISSP_VERSION
#define ISSP_VERSION "unknown"
#endif

#define ISSP_EXPORT extern "C" __attribute__((visibility("default")))

namespace issp {
namespace {

// Tells a wrong option. The caller gets null if it listens to errors. TFLite's
// external delegate does not listen, and does not expect null: older ones would
// crash. It gets a delegate that refuses all graphs and says why.
tflite::Delegate* refuse(const std::string& what, Options options,
                         void (*report_error)(const char*)) {
  const std::string error = std::string(kName) + ": " + what + ".";
  if (report_error) {
    report_error(error.c_str());
    return nullptr;
  }
  std::fprintf(stderr, "ERROR: %s\n", error.c_str());
  set_kernels(&options);
  State* state = new_state(options);
  state->refusal = what;
  return &state->delegate;
}

tflite::Delegate* create(const char* const* keys, const char* const* values,
                         size_t count, void (*report_error)(const char*)) {
  Options options;
  for (size_t i = 0; i < count; ++i) {
    const std::string expected = set_option(keys[i], values[i], &options);
    if (expected.empty()) continue;
    return refuse(std::string("option ") + keys[i] + " is '" + values[i] +
                      "', expected " + expected,
                  options, report_error);
  }
  set_kernels(&options);
  return &new_state(options)->delegate;
}

State* state_of(tflite::Delegate* delegate) {
  return static_cast<State*>(delegate->data);
}

}  // namespace
}  // namespace issp

ISSP_EXPORT issp::tflite::Delegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count,
    void (*report_error)(const char*)) {
  try {
    return issp::create(keys, values, count, report_error);
  } catch (const std::exception&) {
    // Formatting a longer message might need memory.
    if (report_error) report_error("IsspSparseDelegate: there is no memory.");
    return nullptr;
  }
}

ISSP_EXPORT void tflite_plugin_destroy_delegate(
    issp::tflite::Delegate* delegate) {
  if (delegate) issp::let_go(issp::state_of(delegate));
}

// The version: a hash of the sources.
ISSP_EXPORT const char* issp_delegate_version() { return ISSP_VERSION; }

// Describes the nodes of a delegate, as JSON. It is valid until the next call.
ISSP_EXPORT const char* issp_delegate_report(
    issp::tflite::Delegate* delegate) {
  try {
    issp::State* state = issp::state_of(delegate);
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->report = issp::report(*state);
    return state->report.c_str();
  } catch (const std::exception&) {
    return R"({"kernels": "", "parts": [], "declined": {}, "graphs": []})";
  }
}
