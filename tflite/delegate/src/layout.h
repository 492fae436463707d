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

// Of a vector.
struct Format {
  int lanes;
  int scalar_bytes;
  int offset = 0;  // That is added to numbers of int8.

  size_t vector() const { return size_t(lanes) * size_t(scalar_bytes); }
};

// Of the images that kernels compute.
Format format_of(const Kernels& kernels);

struct Image {
  int channels = 0;
  int planes = 0;  // Vectors that keep a pixel of each lane.
  uint8_t zero = 0;  // Each byte of what is beyond the image.
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

  // Whether what is added or multiplied is one pixel, for all of a larger
  // image.
  bool is_pixel_of(const Operation& of, const Post& post) const;

  // Rows that an operation goes through.
  int rows_of(const Operation& of) const;

  // Whether another image is the first that is added, which is done with sums.
  bool begins_with_image(const Operation& of) const;
};

// Lays out the images of a network. Args: `sizes`, of the images of the
// operations `kInput`, in their order. Returns what forbids it, or nothing.
std::string lay_out(const Network& network, const std::vector<Size>& sizes,
                    Format format, Layout* layout);

// Why these sizes, and any that inputs may be resized to, have no layout; or
// nothing.
std::string conflict(const Network& network, const std::vector<Size>& sizes,
                     Format format);

}  // namespace issp

#endif  // ISSP_LAYOUT_H_
