// Makes constants from bytes, and reads them.

#include "fuzzing.h"
#include "mutation.h"

namespace issp::testing {

std::vector<uint8_t> make_input(Random* random) {
  std::vector<uint8_t> made(size_t(random->between(1, 100)));
  for (uint8_t& byte : made) byte = uint8_t(random->bits());
  return made;
}

std::string read_input(const uint8_t* data, size_t size) {
  Random random(data, size);
  const Read read = read_mutated(&random, 12);
  if (read.error.empty()) return "";
  return "A constant was accepted, but " + read.error + ".";
}

}  // namespace issp::testing
