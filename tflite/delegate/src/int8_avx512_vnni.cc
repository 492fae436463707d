#include "int8_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni")
#endif

#define ISSP_NAME "avx512_vnni"
#define ISSP_LANES 16
#define ISSP_X86(name) _mm512_##name
#define ISSP_ENDS
#define ISSP_GROUP 4
#define ISSP_WEIGHT(w) _mm512_set1_epi32(w)
#define ISSP_DOT(sum, x, w) \
  Vector(_mm512_dpbusd_epi32(__m512i(sum), __m512i(x), w))

namespace issp::int8_avx512_vnni {
#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
