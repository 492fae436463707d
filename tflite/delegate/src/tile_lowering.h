// Finds where the outputs of an operation are, in float32 and int8.

#ifndef ISSP_TILE_LOWERING_H_
#define ISSP_TILE_LOWERING_H_

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "layout.h"
#include "network.h"
#include "program.h"

namespace issp {

// Makes the program of some outputs. An output is a plane. With DEPTH_TO_SPACE,
// the planes of the first pixel of a block come first, then those of the next.
class TileLowering {
 protected:
  TileLowering(const Layout& layout, const Operation& of,
               const std::vector<int>& outputs);

  // Where output o begins in an image. If `shuffled`, the image has the shape
  // after DEPTH_TO_SPACE, or else the shape before.
  int32_t offset_in(const Image& image, int o, int planes, bool shuffled) const;

  // The offset in the input for a place of the kernel.
  int64_t offset_of(int row, int column, int plane, int left) const;

  // Rows and vectors from one pixel of another image to the next.
  size_t row_of(const Image& other, const Post& post) const {
    return (post.shuffled ? of_.block : 1) * other.row;
  }
  size_t vector_of(const Post& post) const {
    return size_t(post.shuffled ? of_.block : 1) * size_t(vector_);
  }

  const Layout& layout_;
  const Operation& of_;
  const Image& in_;
  const Image& out_;
  const int vector_;  // Bytes.
  Program program_;

 private:
  void set_borders();
  void add_borders(int v, int t, std::vector<Border>* borders) const;
};

// The program of some outputs of an operation in int8.
Program lower_int8(const Network& network, const Layout& layout,
                   const Kernels& kernels, const Operation& of,
                   const Padding& padding, const std::vector<int>& outputs);

}  // namespace issp

#endif  // ISSP_TILE_LOWERING_H_
