#include "int8_kernels.h"

#ifdef __aarch64__

#include <arm_neon.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "arch=armv8.2-a+i8mm"))), \
                             apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+i8mm")
#endif

#define ISSP_NAME "neon_i8mm"
#define ISSP_NEON
#define ISSP_LANES 4
#define ISSP_GROUP 4
#define ISSP_WEIGHT(w) vreinterpretq_s8_s32(vdupq_n_s32(w))
#define ISSP_DOT(sum, x, w) \
  Vector(vusdotq_s32(int32x4_t(sum), vreinterpretq_u8_s32(int32x4_t(x)), w))

namespace issp::int8_neon_i8mm {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __aarch64__
