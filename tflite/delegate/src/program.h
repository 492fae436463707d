// Weights with addresses in images: the fourth pass of a plan.

#ifndef ISSP_PROGRAM_H_
#define ISSP_PROGRAM_H_

#include <cstdint>
#include <vector>

#include "int8_kernels.h"
#include "kernels.h"
#include "layout.h"
#include "network.h"

namespace issp {

// The part of a program for images in int8. Each output has four filters.
struct Int8Program {
  bool is_used = false;
  std::vector<int32_t> offsets;
  std::vector<int32_t> weights;
  std::vector<uint32_t> begins;
  std::vector<int32_t> bias;
  std::vector<float> multipliers;
  Int8Range range{};
  Int8Addition addition;
  Int8Range made{};
  std::vector<uint8_t> add_bits;
  std::vector<Int8Post> posts;  // Without addresses.
  std::vector<std::vector<int32_t>> integers;  // Owns the data of `posts`.
  std::vector<std::vector<uint8_t>> bytes;
  int filters = 0;
  Int8Scale scale{};  // Of conversions.
  Int8SumsFunction sums[kMostRows + 1][kMostVectors + 1] = {};
};

// Some outputs of an operation with tiles. A program has pointers into itself.
struct Program {
  Program() = default;
  Program(Program&&) = default;
  Program& operator=(Program&&) = default;

  // Outputs with weights at the same places; in int8, filters computed at once.
  int group = 1;
  std::vector<int32_t> offsets;
  std::vector<float> values;
  std::vector<uint32_t> begins;  // By block of channels and group of outputs.
  std::vector<int32_t> channels;  // The computed ones.
  std::vector<float> bias;
  std::vector<int32_t> output_offsets;
  std::vector<uint8_t> columns;
  int outputs;
  int blocks;
  int strip;  // Vectors of a row.
  bool adds = false;
  bool clamps = false;
  float low = 0;
  float high = 0;
  std::vector<int32_t> add_offsets;
  size_t add_row = 0;
  size_t add_vector = 0;
  std::vector<TilePost> posts;   // Without addresses.
  // By element of `posts`: its number in `Operation::posts`, or -1 without an
  // image.
  std::vector<int> other_posts;
  std::vector<std::vector<int32_t>> post_offsets;
  std::vector<std::vector<float>> post_numbers;
  std::vector<std::vector<Border>> borders;  // By column.
  std::vector<const Border*> border_begins;
  std::vector<int> border_counts;
  // By rows and vectors. This is a cache, because each tile needs it.
  SumsFunction sums[kMostRows + 1][kMostVectors + 1] = {};
  int tile_rows = 2;
  int tile_vectors = 4;
  Int8Program int8;

  // Products of a vector with a weight, or with a block of weights.
  size_t products() const {
    return int8.is_used ? int8.weights.size() : values.size();
  }
  // Whether there is a kernel for a tile.
  bool has_tile(int rows, int vectors) const {
    return int8.is_used ? int8.sums[rows][vectors] != nullptr
                        : sums[rows][vectors] != nullptr;
  }
};

// The programs of each operation. Each computes some outputs. An operation
// without tiles has none.
std::vector<std::vector<Program>> lower(const Network& network,
                                        const Layout& layout,
                                        const Kernels& kernels);

}  // namespace issp

#endif  // ISSP_PROGRAM_H_
