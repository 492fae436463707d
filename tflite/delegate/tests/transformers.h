// Blocks of transformers, in the form of TFLite's converter.

#ifndef ISSP_TRANSFORMERS_H_
#define ISSP_TRANSFORMERS_H_

#include "attending.h"
#include "fake_runtime.h"
#include "layers.h"
#include "moves.h"
#include "testing.h"

namespace issp::testing {

struct Normalizing {
  bool has_scale = true;
  bool has_shift = true;
  bool multiplies = false;  // Squares by MUL.
  double epsilon = 1e-5;
};

int normalize(Model* model, int image, const Normalizing& of, Random* random);

// Adds a whole block with residuals.
int transform(Model* model, int image, const Attending& of, Random* random);

}  // namespace issp::testing

#endif  // ISSP_TRANSFORMERS_H_
