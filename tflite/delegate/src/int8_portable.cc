#include "int8_kernels.h"

#define ISSP_NAME "portable"
#define ISSP_LANES 4
#ifdef __aarch64__
#define ISSP_REGISTERS 32
#else
#define ISSP_REGISTERS 16
#endif
#define ISSP_PORTABLE_DOT

namespace issp::int8_portable {
#include "int8_inl.h"
}
