#include "operators.h"

namespace issp {

const Operator* find_operator(int code) {
  for (const Operator* all :
       {kConcatenations, kConvolutions, kElementwise, kFunctions,
        kQuantizations, kReductions, kResamplings, kSoftmaxes}) {
    for (const Operator* of = all; of->check; ++of) {
      if (of->code == code) return of;
    }
  }
  return nullptr;
}

}  // namespace issp
