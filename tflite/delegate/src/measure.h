// The sizes of the images of a network, and how they are padded.

#ifndef ISSP_MEASURE_H_
#define ISSP_MEASURE_H_

#include <string>
#include <vector>

#include "layout.h"
#include "network.h"

namespace issp {

// What forbids sizes.
struct Misfit {
  std::string text;         // Nothing, if they fit.
  bool is_by_size = false;  // Whether others may fit.
};

// Sets the channels and sizes of images, and the paddings.
Misfit measure(const Network& network, const std::vector<Size>& sizes,
               Layout* layout);

}  // namespace issp

#endif  // ISSP_MEASURE_H_
