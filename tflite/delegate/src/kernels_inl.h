// The kernels, for vectors of `ISSP_LANES` numbers.
//
// One source for each kind of CPU includes this, in its own namespace. Nothing
// here uses the standard library. Otherwise the linker could merge its
// functions, and use code for one CPU on another.

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
