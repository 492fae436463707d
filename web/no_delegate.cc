// What the tests of C++ look for, and WebAssembly has not: the delegate.

namespace issp::tflite {
struct Delegate;
}

extern "C" {

issp::tflite::Delegate* tflite_plugin_create_delegate(
    const char* const*, const char* const*, unsigned long,
    void (*)(const char*)) {
  return nullptr;
}

void tflite_plugin_destroy_delegate(issp::tflite::Delegate*) {}

const char* issp_delegate_report(issp::tflite::Delegate*) { return ""; }

const char* issp_delegate_version() { return ""; }

}  // extern "C"
