#include "testing.h"

// Sanitizers call these. Some tests request more memory than there is.
#define ISSP_DEFAULT extern "C" __attribute__((visibility("default")))
ISSP_DEFAULT const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
ISSP_DEFAULT const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}

int main(int count, char** arguments) {
  return issp::testing::run_tests(count, arguments);
}
