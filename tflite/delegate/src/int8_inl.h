// The kernels in int8, for vectors of `ISSP_LANES` lanes.
//
// It is included like kernels_inl.h, with the same restrictions.

#ifndef ISSP_LANES
#error "ISSP_LANES is not defined"
#endif

#define ISSP_SCALAR int
#define ISSP_LANE int

#include "vectors_inl.h"

#include "int8_vectors_inl.h"

#include "int8_packing_inl.h"
#include "tiles_inl.h"
#include "transpose_inl.h"

#include "borders_inl.h"
#include "int8_pixels_inl.h"
#include "int8_posts_inl.h"
#include "int8_sums_inl.h"

extern const Int8Kernels kernels;
const Int8Kernels kernels = {
    ISSP_NAME, kOffset,  ISSP_GROUP, find_sums, post,   borders,
    quantize,  dequantize, pack,       unpack,    add_row,
};
