#include "int8_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "sse4.1"))), \
                             apply_to = function)
#else
#pragma GCC target("sse4.1")
#endif

#define ISSP_NAME "sse4"
#define ISSP_LANES 4
#define ISSP_X86(name) _mm_##name
#define ISSP_GROUP 1
#define ISSP_MADD(a, b) _mm_madd_epi16(__m128i(a), __m128i(b))

namespace issp::int8_sse4 {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
