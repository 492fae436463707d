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
#define ISSP_REGISTERS 16
// Pairs of 16 bits are exact, where pairs of bytes would saturate.
#define ISSP_WEIGHT(w) Pairs(w)
#define ISSP_DOT(sum, x, w) (w).dot(sum, x)

namespace issp::int8_sse4 {
namespace {

// The weights of the even channels, and of the odd ones, of a block.
struct Pairs {
  explicit inline __attribute__((always_inline)) Pairs(int w) {
    const __m128i all = _mm_set1_epi32(w);
    odd = _mm_srai_epi16(all, 8);
    even = _mm_srai_epi16(_mm_slli_epi16(all, 8), 8);
  }

  // The bytes of `x` have no sign.
  template <class Vector>
  inline __attribute__((always_inline)) Vector dot(Vector sum, Vector x) const {
    const __m128i bytes = __m128i(x);
    const __m128i of_even =
        _mm_and_si128(bytes, _mm_set1_epi16(255));
    const __m128i of_odd = _mm_srli_epi16(bytes, 8);
    return sum + Vector(_mm_add_epi32(_mm_madd_epi16(of_even, even),
                                      _mm_madd_epi16(of_odd, odd)));
  }

  __m128i even;
  __m128i odd;
};

}  // namespace

#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
