// Finds the sizes and the paddings of the images of a network.

#ifndef ISSP_MEASURE_H_
#define ISSP_MEASURE_H_

#include <string>
#include <vector>

#include "layout.h"
#include "network.h"

namespace issp {

// Why sizes do not fit a network.
struct Misfit {
  std::string text;         // Empty if they fit.
  bool is_by_size = false;  // Whether other sizes may fit.
};

// Sets the channels and sizes of images, and the paddings.
Misfit measure(const Network& network, const std::vector<Size>& sizes,
               Layout* layout);

}  // namespace issp

#endif  // ISSP_MEASURE_H_
