// What fuzzers share. Each has its own file `fuzz_*.cc`, which defines these
// functions. libFuzzer or `fuzz_main.cc` calls them.

#ifndef ISSP_FUZZING_H_
#define ISSP_FUZZING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "testing.h"

namespace issp::testing {

// Makes a valid or nearly valid input.
std::vector<uint8_t> make_input(Random* random);

// Reads an input. Returns what is wrong with the result, or an empty string.
std::string read_input(const uint8_t* data, size_t size);

}  // namespace issp::testing

// Changes an input. libFuzzer and `fuzz_main.cc` provide it.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

#endif  // ISSP_FUZZING_H_
