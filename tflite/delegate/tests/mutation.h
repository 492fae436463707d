// Constants whose metadata are wrong, as those of a corrupt or hostile file.

#ifndef ISSP_MUTATION_H_
#define ISSP_MUTATION_H_

#include <string>

#include "testing.h"

namespace issp::testing {

struct Read {
  bool is_accepted = false;
  std::string error;  // What is wrong with what was read, or nothing.
};

// Reads a valid constant of which up to `most` numbers have been changed.
//
// All that it is made of ends where its memory ends, so that a sanitizer finds
// what is read beyond.
Read read_mutated(Random* random, int most);

}  // namespace issp::testing

#endif  // ISSP_MUTATION_H_
