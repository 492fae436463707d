// Images and sums are in float16. Vectors have twice as many numbers, with
// about three decimal digits.

#include "kernels.h"

#ifdef __aarch64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "arch=armv8.2-a+fp16"))), \
                             apply_to = function)
#define ISSP_SCALAR _Float16
#else
#pragma GCC target("arch=armv8.2-a+fp16")
// GCC has _Float16 in C++ since version 13.
#define ISSP_SCALAR __fp16
#endif

#define ISSP_NAME "neon_float16"
#define ISSP_HALF
#define ISSP_LANE short
#define ISSP_LANES 8
#define ISSP_REGISTERS 32

namespace issp::neon_float16 {
#include "kernels_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __aarch64__
