#include "int8_kernels.h"

#define ISSP_NAME "portable"
#define ISSP_LANES 4
#define ISSP_GROUP 1
#ifdef __wasm_simd128__
// 16 registers have no room for more, because products need some.
#define ISSP_MOST_SUMS 8
#define ISSP_MADD(a, b) __builtin_wasm_dot_s_i32x4_i16x8(Shorts(a), Shorts(b))
#else
#define ISSP_PORTABLE_DOT
#endif

namespace issp::int8_portable {
#include "int8_inl.h"
}
