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
#define ISSP_REGISTERS 32
// Pairs of 16 bits are exact, where pairs of bytes would saturate.
#define ISSP_WEIGHT(w) Pairs(w)
#define ISSP_DOT(sum, x, w) (w).dot(sum, x)

namespace issp::int8_avx512 {
namespace {

// The weights of the even channels, and of the odd ones, of a block.
struct Pairs {
  explicit inline __attribute__((always_inline)) Pairs(int w) {
    const __m512i all = _mm512_set1_epi32(w);
    odd = _mm512_srai_epi16(all, 8);
    even = _mm512_srai_epi16(_mm512_slli_epi16(all, 8), 8);
  }

  // The bytes of `x` have no sign.
  template <class Vector>
  inline __attribute__((always_inline)) Vector dot(Vector sum, Vector x) const {
    const __m512i bytes = __m512i(x);
    const __m512i of_even =
        _mm512_and_si512(bytes, _mm512_set1_epi16(255));
    const __m512i of_odd = _mm512_srli_epi16(bytes, 8);
    return sum + Vector(_mm512_add_epi32(_mm512_madd_epi16(of_even, even),
                                      _mm512_madd_epi16(of_odd, odd)));
  }

  __m512i even;
  __m512i odd;
};

}  // namespace

#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
