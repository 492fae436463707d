#include "int8_kernels.h"

#ifdef __aarch64__

#include <arm_neon.h>

#define ISSP_NAME "neon"
#define ISSP_SIGNED
#define ISSP_NEON
#define ISSP_LANES 4
#define ISSP_GROUP 4
#define ISSP_WEIGHT(w) vreinterpretq_s8_s32(vdupq_n_s32(w))
#define ISSP_DOT(sum, x, w) \
  Vector(dot_of(int32x4_t(sum), vreinterpretq_s8_s32(int32x4_t(x)), w))

namespace issp::int8_neon {
namespace {

// A product of two signed bytes has 16 bits.
inline __attribute__((always_inline)) int32x4_t dot_of(int32x4_t sum,
                                                       int8x16_t x,
                                                       int8x16_t w) {
  const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w));
  const int16x8_t high = vmull_high_s8(x, w);
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

}  // namespace

#include "int8_inl.h"
}

#endif  // __aarch64__
