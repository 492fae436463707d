#include "kernels.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#endif

#define ISSP_NAME "avx512"
#define ISSP_SCALAR float
#define ISSP_LANE int
#define ISSP_LANES 16
#define ISSP_REGISTERS 32

namespace issp::avx512 {
#include "kernels_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
