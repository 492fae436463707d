// Shared by the programs of float32 and int8: where the outputs of an operation
// are.

#ifndef ISSP_TILE_LOWERING_H_
#define ISSP_TILE_LOWERING_H_

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "layout.h"
#include "network.h"
#include "program.h"

namespace issp {

// Makes the program of some outputs, which are planes: of images that are made
// by DEPTH_TO_SPACE all those of the first place, then those of the next.
class TileLowering {
 protected:
  TileLowering(const Layout& layout, const Operation& of,
               const std::vector<int>& outputs);

  // Where output o begins in an image: one that has the shape of what is made,
  // or of what is made before DEPTH_TO_SPACE.
  int32_t offset_in(const Image& image, int o, int planes, bool shuffled) const;

  // Where the weights for a place of a kernel are applied.
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
