// The operations in int8, for one kind of CPU.
//
// Images are stored in strips, like those of float32 (see kernels.h), but a
// lane of 32 bits holds four channels of a pixel, the first in its lowest byte.
// A number q of the runtime is stored as q + `offset`, because some CPUs
// multiply unsigned bytes with signed bytes. The last channels of a pixel may
// be unused. They are multiplied by zero.
//
// A weight also covers four channels, a *block*. So one instruction adds four
// products to each lane. The outputs of four channels are computed one after
// the other, and stored together.

#ifndef ISSP_INT8_KERNELS_H_
#define ISSP_INT8_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "post.h"

namespace issp {

// The bounds of a result without its zero point, and its zero point as stored.
struct Int8Range {
  float low;
  float high;
  int32_t zero;
};

// The sums of a tile, for all outputs, of which each has four filters: of
// weights * the input at offsets[k], for k in begins[f]..begins[f + 1], where f
// counts filters.
//
// Some filters may be computed at once, a *group*. Then f counts the sets of
// filters that have blocks at the same places: first those that all of a group
// have, then those of all other sets, from the largest number to the least,
// where a set is a number with a bit for each of its filters. Weights follow
// each other in this order; those of one place stand together.
struct Int8Sums : Tile {
  const char* input;
  size_t input_row;
  size_t input_vector;
  const int32_t* offsets;
  const int32_t* weights;    // Of blocks, as the channels of a lane.
  const uint32_t* begins;
  const int32_t* bias;       // By filter.
  const float* multipliers;  // By filter.
  Int8Range range;
  // What is added to the result, an image, or null.
  const char* add;
  size_t add_row;
  size_t add_vector;
  const int32_t* add_offsets;  // By filter.
  const uint8_t* add_bits;     // Of the lane, before the channel; by filter.
  Int8Addition addition;
  Int8Range added;
};

using Int8SumsFunction = void (*)(const Int8Sums&);

// One thing that is done value by value to a tile.
struct Int8Post {
  PostKind kind;
  Int8Addition addition;  // Of `kAdd` and `kAffine`.
  Int8Range range;
  float scale;         // Of `kMultiply`; what `kLeaky` adds to round.
  int32_t zero;        // Of what comes in, as stored.
  int32_t other_zero;  // Of the other image.
  const float* a;         // Factors of what is below zero, by filter.
  const float* b;         // Of what is not.
  const int32_t* biases;  // Of `kAffine`, by filter.
  const uint8_t* table;   // Of `kLogistic`: of each number, as stored.
  const char* other;      // The other image at the tile, or of one pixel.
  size_t other_row;
  size_t other_vector;           // 0 for one pixel.
  const int32_t* other_offsets;  // By filter.
  const uint8_t* other_bits;     // Of the lane, before the channel.
};

// The range of numbers from `low` to `high` that kernels store with an offset.
inline Int8Range range_of(float low, float high, int zero_point, int offset) {
  return {low - float(zero_point), high - float(zero_point),
          zero_point + offset};
}

// How an image in float32 becomes one in int8, or the other way round: int8 is
// round(float * factor) within `range`, float is (int8 - zero) * factor.
struct Int8Scale {
  float factor;
  Int8Range range;
};

// A row of an image, and the same as the runtime has it, channels last.
struct Int8Row {
  char* strips;  // The first four channels, vector 0.
  size_t plane;  // Bytes from four channels to the next.
  void* pixels;
  PixelType type;
  Int8Scale scale;  // Of float32.
  int width;
  int channels;
  int strip;
  int left;
  int right;
};

struct Int8Kernels {
  const char* name;
  int offset;
  int group;  // Filters that may be computed at once: 1, 2 or 4.
  // By rows and vectors of the tile and filters of a group, 1 or `group`; null
  // if there is none. `strided` is for inputs whose vectors are not one behind
  // the other.
  Int8SumsFunction (*find_sums)(int rows, int vectors, int group, bool strided);
  // What follows the sums of a tile.
  void (*post)(const Tile& tile, int rows, int vectors, const Int8Post& post);
  BordersFunction borders;
  // Between images in float32, of which `offsets` say where the channels are,
  // and in int8. `filters` are the channels.
  void (*quantize)(const Int8Sums& tile, int rows, int vectors, int filters,
                   const Int8Scale& scale);
  void (*dequantize)(const Int8Sums& tile, int rows, int vectors,
                     const Int8Scale& scale);
  void (*pack)(const Int8Row& row);
  void (*unpack)(const Int8Row& row);
  // Adds the pixels of a row to `sums`, by channel, as they are stored.
  void (*add_row)(const Int8Row& row, int64_t* sums);
};

}  // namespace issp

#endif  // ISSP_INT8_KERNELS_H_
