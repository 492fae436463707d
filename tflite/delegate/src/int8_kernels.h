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

// The bounds of a result without its zero point, and the stored zero point.
struct Int8Range {
  float low;
  float high;
  int32_t zero;
};

// How sums become stored numbers. All ways give the same numbers. The others
// need fewer instructions than the first.
enum Int8End {
  // Sums of any size, and any range.
  kBoundedEnd,
  // No image is added. The range has all bytes, and its stored zero point is 0.
  // Sums times multipliers are below 2^31. So instructions that saturate bound
  // the result.
  kSaturatedEnd,
  // Another image is added. The range has all bytes, sums times multipliers are
  // below 2^31, and the addition does not overflow if its zero point is added
  // before the shift.
  kAddedEnd,
};

// The sums of a tile, for all outputs. An output has four filters. The sum of
// filter f adds weights[k] * the input at offsets[k], for k in
// begins[f]..begins[f + 1].
//
// A *group* of filters may be computed at once. Its weights are sorted by sets
// of filters. A set is a number with a bit for each filter. It has the places
// where exactly these filters have blocks. Then f counts the sets, from the
// largest number to the least, so the set of all filters is the first. The
// weights of one place stand together.
struct Int8Sums : Tile {
  const char* input;
  size_t input_row;
  size_t input_vector;
  const int32_t* offsets;
  const int32_t* weights;    // Of blocks, like channels of a lane.
  const uint32_t* begins;
  const int32_t* bias;       // By filter.
  const float* multipliers;  // By filter.
  Int8Range range;
  // An image to add to the result, or null.
  const char* add;
  size_t add_row;
  size_t add_vector;
  const int32_t* add_offsets;  // By filter.
  const uint8_t* add_bits;     // Shift to the channel, by filter.
  Int8Addition addition;
  Int8Range made;  // That of the addition, or else `range`.
};

using Int8SumsFunction = void (*)(const Int8Sums&);

// An element-wise function of a tile.
struct Int8Post {
  PostKind kind;
  Int8Addition addition;  // Of `kAdd` and `kAffine`.
  Int8Range range;
  float scale;         // Of `kMultiply`; in `kLeaky`, added to round.
  int32_t zero;        // Stored zero point of the input.
  int32_t other_zero;  // That of the other image.
  const float* a;         // Factors below zero, by filter.
  const float* b;         // Other factors, by filter.
  // Of `kAffine`, and factors of `kMultiply` without an image, by filter.
  const int32_t* biases;
  const uint8_t* table;   // Of `kLogistic`, by stored number.
  const char* other;      // The other image at the tile, or its one pixel.
  size_t other_row;
  size_t other_vector;           // 0 for one pixel.
  const int32_t* other_offsets;  // By filter.
  const uint8_t* other_bits;     // Shift to the channel.
};

// The range from `low` to `high`, for kernels that store numbers with an
// offset.
inline Int8Range range_of(float low, float high, int zero_point, int offset) {
  return {low - float(zero_point), high - float(zero_point),
          zero_point + offset};
}

// Converts between float32 and int8. From float32, a number becomes round(x *
// factor) within `range`. From int8, it becomes (x - zero) * factor.
struct Int8Scale {
  float factor;
  Int8Range range;
};

// A row of an image, and the same row of the runtime, with channels last.
struct Int8Row {
  char* strips;  // The first four channels, vector 0.
  size_t plane;  // Bytes from four channels to the next.
  void* pixels;
  PixelType type;
  Int8Scale scale;  // For float32 pixels.
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
  // The function for a tile of `rows` and `vectors`, and groups of 1 or `group`
  // filters; null if there is none. `strided` is for inputs whose vectors are
  // not contiguous.
  Int8SumsFunction (*find_sums)(int rows, int vectors, int group, bool strided,
                                Int8End end);
  // Applies a function after the sums of a tile.
  void (*post)(const Tile& tile, int rows, int vectors, const Int8Post& post);
  BordersFunction borders;
  // Convert between images in float32 and int8. `offsets` lead to the channels
  // in float32. `filters` is the number of channels.
  void (*quantize)(const Int8Sums& tile, int rows, int vectors, int filters,
                   const Int8Scale& scale);
  void (*dequantize)(const Int8Sums& tile, int rows, int vectors,
                     const Int8Scale& scale);
  void (*pack)(const Int8Row& row);
  void (*unpack)(const Int8Row& row);
  // Adds the stored numbers of a row to `sums`, by channel.
  void (*add_row)(const Int8Row& row, int64_t* sums);
};

}  // namespace issp

#endif  // ISSP_INT8_KERNELS_H_
