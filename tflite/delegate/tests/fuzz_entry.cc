// The functions that libFuzzer calls.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzzing.h"

using issp::testing::Random;

// Some tests request more memory than there is.
extern "C" __attribute__((visibility("default"))) const char*
__asan_default_options() {
  return "allocator_may_return_null=1";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string error = issp::testing::read_input(data, size);
  if (error.empty()) return 0;
  std::fprintf(stderr, "%s\n", error.c_str());
  std::abort();
}

// A corpus begins empty, so some inputs are new ones.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t most, unsigned seed) {
  Random random(seed);
  if (size > 1 && random.below(50)) return LLVMFuzzerMutate(data, size, most);
  const std::vector<uint8_t> made = issp::testing::make_input(&random);
  const size_t kept = std::min(made.size(), most);
  std::copy(made.begin(), made.begin() + long(kept), data);
  return kept;
}
