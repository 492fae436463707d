// The kernels, for vectors of `ISSP_LANES` numbers.
//
// Included by one source for each kind of CPU, in its own namespace and with
// nothing of the standard library, whose functions would otherwise be compiled
// for one CPU and used on another.

#ifndef ISSP_LANES
#error "ISSP_LANES is not defined"
#endif

#include "vectors_inl.h"

#include "tiles_inl.h"
#include "transpose_inl.h"

#include "exponential_inl.h"

#include "across_inl.h"
#include "arrange_inl.h"
#include "attention_inl.h"
#include "borders_inl.h"
#include "gelu_inl.h"
#include "means_inl.h"
#include "posts_inl.h"
#include "strips_inl.h"
#include "sums_inl.h"

extern const Kernels kernels;
const Kernels kernels = {
    ISSP_NAME, kLanes,  sizeof(Scalar), ISSP_REGISTERS, find_sums, kAcross,
    posts,     borders, pack,           unpack,         add_row,   arrange,
    attend,    nullptr,
};
