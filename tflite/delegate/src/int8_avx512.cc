#include "int8_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#endif

#define ISSP_NAME "avx512"
#define ISSP_LANES 16
#define ISSP_X86(name) _mm512_##name
#define ISSP_GROUP 4
#define ISSP_MADD(a, b) _mm512_madd_epi16(__m512i(a), __m512i(b))

namespace issp::int8_avx512 {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
