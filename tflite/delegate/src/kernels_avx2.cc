#include "kernels.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define ISSP_NAME "avx2"
#define ISSP_SCALAR float
#define ISSP_LANE int
#define ISSP_LANES 8
#define ISSP_REGISTERS 16

namespace issp::avx2 {
#include "kernels_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
