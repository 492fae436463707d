#include "int8_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define ISSP_NAME "avx2"
#define ISSP_LANES 8
#define ISSP_X86(name) _mm256_##name
#define ISSP_GROUP 2
#define ISSP_MADD(a, b) _mm256_madd_epi16(__m256i(a), __m256i(b))

namespace issp::int8_avx2 {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
