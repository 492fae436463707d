// Blocks of networks of transformers, as TFLite's converter writes them.

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
  bool multiplies = false;  // Squares are products, and no differences.
  double epsilon = 1e-5;
};

int normalize(Model* model, int image, const Normalizing& of, Random* random);

// Adds a block of all of them, with residuals.
int transform(Model* model, int image, const Attending& of, Random* random);

}  // namespace issp::testing

#endif  // ISSP_TRANSFORMERS_H_
