// For all other CPUs. Vectors have four numbers, for example with SSE2 on x86.

#include "kernels.h"

#define ISSP_NAME "portable"
#define ISSP_SCALAR float
#define ISSP_LANE int
#define ISSP_LANES 4
#ifdef __wasm__
// 16 registers have no room for more.
#define ISSP_MOST_SUMS 12
#endif
#ifdef __aarch64__
#define ISSP_REGISTERS 32
#else
#define ISSP_REGISTERS 16
#endif

namespace issp::portable {
#include "kernels_inl.h"
}
