// Constants with wrong metadata, like in a corrupt or hostile file.

#ifndef ISSP_MUTATION_H_
#define ISSP_MUTATION_H_

#include <string>

#include "testing.h"

namespace issp::testing {

struct Read {
  bool is_accepted = false;
  std::string error;  // An error in the read constant, or empty.
};

// Changes up to `most` numbers of a valid constant, and reads it.
//
// Its memory has no padding, so that sanitizers find reads beyond it.
Read read_mutated(Random* random, int most);

}  // namespace issp::testing

#endif  // ISSP_MUTATION_H_
