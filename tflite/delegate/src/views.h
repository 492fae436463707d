// Maps each number of a tensor to a pixel and a channel of an image.
//
// RESHAPE, TRANSPOSE, SLICE, SPLIT and CONCATENATION move numbers of an image
// to other places of a tensor. The delegate moves nothing. A tensor is a view
// of the image, and its dimensions are made of digits. A digit counts pixels
// down or across, channels, or images, in steps. For example, the rows of an
// image in windows of 8 are the digits (H / 8, by 8) and (8, by 1).

#ifndef ISSP_VIEWS_H_
#define ISSP_VIEWS_H_

#include <array>
#include <string>
#include <vector>

#include "network.h"

namespace issp {

enum Axis { kBatch, kDown, kAcrossPixels, kChannels, kAxes };

struct Digit {
  Axis axis;
  int size;
  int step;

  bool operator==(const Digit& other) const {
    return axis == other.axis && size == other.size && step == other.step;
  }
};

using Digits = std::vector<Digit>;

struct View {
  int source = -1;                   // The tensor that is the image.
  std::array<int, kAxes> extents{};  // Of the image.
  std::array<int, kAxes> begins{};   // The first place. Pixels wrap around.
  std::vector<Digits> dimensions;    // The first has the largest steps.
  float factor = 1;                  // Multiplies its numbers.

  Size size() const { return {extents[kDown], extents[kAcrossPixels]}; }
  int channels() const { return extents[kChannels]; }

  // Whether each pixel occurs once, with successive channels in the last
  // dimension.
  bool has_all_pixels() const;
  // Whether all channels occur.
  bool has_all_channels() const;
  // Whether pixels are in the order of the image.
  bool has_image_order() const;
  // Whether the view is the image itself.
  bool is_image() const;
  // Whether it is a crop of the image.
  bool is_crop() const;
  // The height and width of a crop.
  Size cropped() const;
  // A text that names the pixels and their order.
  std::string name() const;
  // The same pixels with all channels of an image with `channels` channels.
  View with_channels(int channels) const;
};

// The view that is the image itself.
View view_of_image(int batch, Size size, int channels);

// Each changes the view, and returns whether that is possible.
bool reshape(const std::vector<int>& shape, View* view);
bool transpose(const std::vector<int>& order, View* view);
bool slice(int dimension, int begin, int size, View* view);
// Appends the next view of the same image.
bool concatenate(const View& next, int dimension, View* view);

// An order of all pixels of an image, in new rows and columns.
struct Arrangement {
  Size image;
  int down = 0;    // Where the first pixel is.
  int across = 0;
  Digits rows;     // Empty for the image itself.
  Digits columns;

  bool is_image() const { return rows.empty() && columns.empty(); }
  bool operator==(const Arrangement& other) const {
    return rows == other.rows && columns == other.columns &&
           (is_image() || (image == other.image && down == other.down &&
                           across == other.across));
  }
  Size size() const;
  // The source pixels, row by row.
  std::vector<int> pixels() const;
};

// The arrangement of a view's pixels in these rows and columns.
Arrangement arrangement_of(const View& view, const Digits& rows,
                           const Digits& columns);

}  // namespace issp

#endif  // ISSP_VIEWS_H_
