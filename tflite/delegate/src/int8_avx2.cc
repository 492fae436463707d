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
#define ISSP_REGISTERS 16
// Pairs of 16 bits are exact, where pairs of bytes would saturate.
#define ISSP_WEIGHT(w) Pairs(w)
#define ISSP_DOT(sum, x, w) (w).dot(sum, x)

namespace issp::int8_avx2 {
namespace {

// The weights of the even channels, and of the odd ones, of a block.
struct Pairs {
  explicit inline __attribute__((always_inline)) Pairs(int w) {
    const __m256i all = _mm256_set1_epi32(w);
    odd = _mm256_srai_epi16(all, 8);
    even = _mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8);
  }

  // The bytes of `x` have no sign.
  template <class Vector>
  inline __attribute__((always_inline)) Vector dot(Vector sum, Vector x) const {
    const __m256i bytes = __m256i(x);
    const __m256i of_even =
        _mm256_and_si256(bytes, _mm256_set1_epi16(255));
    const __m256i of_odd = _mm256_srli_epi16(bytes, 8);
    return sum + Vector(_mm256_add_epi32(_mm256_madd_epi16(of_even, even),
                                      _mm256_madd_epi16(of_odd, odd)));
  }

  __m256i even;
  __m256i odd;
};

}  // namespace

#include "int8_inl.h"
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif  // __x86_64__
