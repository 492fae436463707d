// Tensors of the runtime as images, and the sizes of these images.

#ifndef ISSP_SHAPES_H_
#define ISSP_SHAPES_H_

#include <string>
#include <vector>

#include "network.h"
#include "part.h"
#include "tflite_abi.h"

namespace issp {

// Assumed for images of unknown size.
constexpr Size kUsual{96, 160};

// Reads the sizes of a part's input images, and the batch size. Returns the
// error, or an empty string.
std::string read_sizes(const tflite::Context& context, const Part& part,
                       std::vector<Size>* sizes, int* batch);

// The expected sizes of the input images of a part. An open size becomes that
// of a small photograph. If the file `has_placeholders`, all sizes are open.
std::vector<Size> expected_sizes(const tflite::Context& context,
                                 const Part& part, bool has_placeholders);

// The shape of a list of pixels. If the input has `rank` dimensions, it is the
// shape of the input with other channels.
std::vector<int> list_shape(const tflite::Context& context, const Part& part,
                            int pixels, int channels, int rank);

}  // namespace issp

#endif  // ISSP_SHAPES_H_
