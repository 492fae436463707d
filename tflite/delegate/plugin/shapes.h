// Tensors of the runtime as images, and the sizes of these images.

#ifndef ISSP_SHAPES_H_
#define ISSP_SHAPES_H_

#include <string>
#include <vector>

#include "network.h"
#include "part.h"
#include "tflite_abi.h"

namespace issp {

// Of images whose size is not known.
constexpr Size kUsual{96, 160};

// Of the images that a part takes: their sizes, and how many there are of each.
// Returns what is wrong with them, or nothing.
std::string read_sizes(const tflite::Context& context, const Part& part,
                       std::vector<Size>* sizes, int* batch);

// The sizes that the images of a part are expected to have. Where the file
// leaves a size open, it is that of a small photograph. All sizes are open if
// the file `has_placeholders`.
std::vector<Size> expected_sizes(const tflite::Context& context,
                                 const Part& part, bool has_placeholders);

// The shape of a list of pixels: that of the input, if it has as many
// dimensions, but for the channels.
std::vector<int> list_shape(const tflite::Context& context, const Part& part,
                            int pixels, int channels, int rank);

}  // namespace issp

#endif  // ISSP_SHAPES_H_
