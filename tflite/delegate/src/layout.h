// How the pixels of an image are arranged in rows: the first pass of a plan.
//
// Rows are stored in strips (see kernels.h). The number of vectors of a row,
// and the border beside it, depend on all operations that read the image.

#ifndef ISSP_LAYOUT_H_
#define ISSP_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels.h"
#include "network.h"

namespace issp {

// The format of a vector.
struct Format {
  int lanes;
  int scalar_bytes;
  int offset = 0;  // Added to int8 numbers.

  size_t vector() const { return size_t(lanes) * size_t(scalar_bytes); }
};

// The format of the images of these kernels.
Format format_of(const Kernels& kernels);

struct Image {
  int channels = 0;
  int planes = 0;  // Vectors that store one pixel per lane.
  uint8_t zero = 0;  // Each byte beyond the image.
  Size size;
  int strip = 0;   // Vectors of a row.
  int left = 0;    // Vectors beside each row.
  int right = 0;
  int zeros = 0;   // Pixels behind each row that must be zero.
  int top = 0;     // Rows of zeros above and below.
  int bottom = 0;
  size_t channel = 0;  // Bytes from one plane to the next.
  size_t row = 0;
};

struct Layout {
  Format format;
  std::vector<Image> images;      // By value.
  std::vector<Padding> paddings;  // By operation, in pixels.

  // Whether a post combines one pixel with all pixels of a larger image.
  bool is_pixel_of(const Operation& of, const Post& post) const;

  // The number of rows of an operation.
  int rows_of(const Operation& of) const;

  // Whether the first post adds another image. Kernels add it to the sums.
  bool begins_with_image(const Operation& of) const;
};

// Lays out the images of a network. `sizes` are those of the inputs, in the
// order of the operations `kInput`. Returns the error, or an empty string.
std::string lay_out(const Network& network, const std::vector<Size>& sizes,
                    Format format, Layout* layout);

// Returns the error of `lay_out`, or an empty string if other sizes may fit.
std::string conflict(const Network& network, const std::vector<Size>& sizes,
                     Format format);

}  // namespace issp

#endif  // ISSP_LAYOUT_H_
