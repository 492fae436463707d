// For libFuzzer: makes constants from its bytes, and reads them.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "mutation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  issp::testing::Random random(data, size);
  const issp::testing::Read read = issp::testing::read_mutated(&random, 12);
  if (read.error.empty()) return 0;
  std::fprintf(stderr, "A constant was accepted, but %s.\n",
               read.error.c_str());
  std::abort();
}
