// For all other CPUs: SSE2 on x86, or whatever the compiler makes of vectors of
// four.

#include "kernels.h"

#define ISSP_NAME "portable"
#define ISSP_SCALAR float
#define ISSP_LANE int
#define ISSP_LANES 4
#ifdef __wasm__
// More do not fit into 16 registers.
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
