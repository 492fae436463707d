#include "int8_kernels.h"

#define ISSP_NAME "portable"
#define ISSP_LANES 4
#define ISSP_GROUP 1
#define ISSP_PORTABLE_DOT

namespace issp::int8_portable {
#include "int8_inl.h"
}
