#include "kernels.h"

#ifdef __aarch64__

#define ISSP_NAME "neon"
#define ISSP_SCALAR float
#define ISSP_LANE int
#define ISSP_LANES 4
#define ISSP_REGISTERS 32

namespace issp::neon {
#include "kernels_inl.h"
}

#endif  // __aarch64__
