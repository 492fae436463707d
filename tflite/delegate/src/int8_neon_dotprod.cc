#include "int8_kernels.h"

#ifdef __aarch64__

#include <arm_neon.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "arch=armv8.2-a+dotprod"))), \
                             apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define ISSP_NAME "neon_dotprod"
#define ISSP_SIGNED
#define ISSP_NEON
#define ISSP_LANES 4
#define ISSP_GROUP 4
#define ISSP_WEIGHT(w) vreinterpretq_s8_s32(vdupq_n_s32(w))
#define ISSP_DOT(sum, x, w) \
  Vector(vdotq_s32(int32x4_t(sum), vreinterpretq_s8_s32(int32x4_t(x)), w))

namespace issp::int8_neon_dotprod {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __aarch64__
