// Tensors of the runtime, and the sizes of the images that they are.

#ifndef ISSP_SHAPES_H_
#define ISSP_SHAPES_H_

#include <string>
#include <vector>

#include "graph.h"
#include "network.h"
#include "tflite_abi.h"

namespace issp {

// Of the images that a part takes: their sizes, and how many there are of each.
// Returns what is wrong with them, or nothing.
std::string read_sizes(const tflite::Context& context, const Part& part,
                       std::vector<Size>* sizes, int* batch);

// The sizes that its images are expected to have, which those may differ from
// that come: a size that the file leaves open, as all do if it `has_placeholders`,
// is that of a small photograph.
std::vector<Size> expected_sizes(const tflite::Context& context,
                                 const Part& part, bool has_placeholders);

// The shape of a list of pixels: that of the input, if it has as many
// dimensions, but for the channels.
std::vector<int> list_shape(const tflite::Context& context, const Part& part,
                            int pixels, int channels, int rank);

}  // namespace issp

#endif  // ISSP_SHAPES_H_
