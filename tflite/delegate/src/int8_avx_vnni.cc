#include "int8_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avxvnni,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avxvnni,avx2,fma")
#endif

#define ISSP_NAME "avx_vnni"
#define ISSP_LANES 8
#define ISSP_X86(name) _mm256_##name
#define ISSP_ENDS
#define ISSP_GROUP 1
#define ISSP_WEIGHT(w) _mm256_set1_epi32(w)
#define ISSP_DOT(sum, x, w) Vector( \
    _mm256_dpbusd_avx_epi32(__m256i(sum), __m256i(x), w))

namespace issp::int8_avx_vnni {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
