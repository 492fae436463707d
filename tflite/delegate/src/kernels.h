// The operations, for one kind of CPU.
//
// Images are stored in strips. A vector of L lanes does not hold L neighbours.
// It holds pixel t of each of L strips of a row. A row of width W has S =
// ceil(W / L) vectors, and lane l of vector t is the pixel l * S + t. So the
// right neighbours of all pixels of a vector are in the next vector. Every load
// of a convolution is aligned, for any tap. Strides and DEPTH_TO_SPACE move
// whole vectors. To the left and right of its S vectors, each row of each
// channel has some more. They repeat the vectors of the other end, shifted by
// one lane, because the pixels beyond a strip are in the next strip. Pixels
// outside of the image are zero.
//
// All vectors of a row, channel by channel, come before those of the next row.

#ifndef ISSP_KERNELS_H_
#define ISSP_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "across.h"
#include "post.h"

namespace issp {

struct Int8Kernels;

// Where a tile is written, output by output. Strides and offsets are in bytes.
struct Tile {
  char* output;
  size_t output_row;
  size_t output_vector;
  const int32_t* output_offsets;  // By output.
  int outputs;
};

// The sums of a tile of some rows and vectors, for all outputs. The sum of
// output o adds values[k] * the input at offsets[k], for k in
// begins[o]..begins[o + 1]. If groups of outputs have their weights at the same
// places, o counts groups, and the values of one place stand together.
struct Sums : Tile {
  const char* input;
  size_t input_row;
  size_t input_vector;
  const int32_t* offsets;
  const float* values;
  const uint32_t* begins;
  // Sums begin with the values in `output` if this is set, or else with `bias`.
  bool continues;
  const float* bias;  // By output.
  const char* add;  // An image, or null.
  size_t add_row;
  size_t add_vector;
  const int32_t* add_offsets;  // By output.
  // Bounds of the sums.
  bool clamps;
  float low;
  float high;
};

using SumsFunction = void (*)(const Sums&);

// Computes a tile for all channels together. `offsets` lead to each channel of
// the input.
using AcrossFunction = void (*)(const Sums& tile, int rows, int vectors,
                                float number);

// A vector at one end of the strips. It is copied beside the other end.
struct Border {
  int vector;       // Of a row, before DEPTH_TO_SPACE.
  int valid_lanes;  // Later lanes become zero first.
  int lanes;        // Lanes by which the copy is shifted; 0 for no copy.
  int64_t bytes;    // From the vector to the copy.
};

// Copies vectors at the borders of strips. `borders` are those of a row, by
// column of DEPTH_TO_SPACE. `columns` are by output. Pixels beyond the image
// become `zero`.
using BordersFunction = void (*)(const Tile& tile, int rows, int first,
                                 int vectors, const Border* const* borders,
                                 const int* counts, const uint8_t* columns,
                                 int32_t zero);

// An element-wise function of a tile.
struct TilePost {
  PostKind kind;
  float low;
  float high;
  const float* a;  // By output.
  const float* b;
  const char* other;  // The other image at the tile, or its one pixel.
  size_t other_row;
  size_t other_vector;           // 0 for one pixel.
  const int32_t* other_offsets;  // By output.
};

// Vectors of a row whose pixels come from arbitrary places of another image.
struct Arranged {
  const char* input;
  size_t input_channel;
  char* output;
  size_t output_channel;
  int channels;
  int vectors;
  const int32_t* offsets;  // By vector and lane, in bytes; -1 for a zero.
};

// Attention in a row of one head; see `Attention`. Queries are read as vectors,
// and keys and values as single numbers.
struct Attended {
  const char* queries;
  const char* keys;
  const char* values;
  char* output;
  size_t query_channel;  // Bytes from one channel to the next.
  size_t key_channel;
  size_t value_channel;
  size_t output_channel;
  int channels;        // Of a query and a key.
  int value_channels;
  int vectors;
  int pixels;
  const int32_t* places;  // Of each pixel, in bytes.
  float factor;           // Times log2(e).
  const float* added;  // By pixel, vector and lane, times log2(e); or null.
  char* scratch;       // For `scratch_vectors`.
};

// Memory that attention needs, in vectors.
constexpr int kQueriesAtOnce = 2;
inline size_t scratch_vectors(int pixels, int channels) {
  return size_t(kQueriesAtOnce) * size_t(pixels + channels);
}

// A row of an image, and the same row of the runtime, with channels last.
struct Row {
  char* strips;  // Channel 0, vector 0.
  size_t channel;
  float* pixels;
  int width;
  int channels;
  int strip;  // S.
  int left;   // Vectors beside the strips.
  int right;
};

struct Kernels {
  const char* name;
  int lanes;
  int scalar_bytes;
  int registers;
  // The function for a tile of `rows` and `vectors`, and groups of `group`
  // outputs; null if there is none. `strided` is for inputs whose vectors are
  // not contiguous.
  SumsFunction (*find_sums)(int rows, int vectors, int group, bool strided);
  const AcrossFunction* across;  // By `AcrossKind`.
  // Applies functions after the sums of a tile.
  void (*posts)(const Sums& tile, int rows, int vectors, const TilePost* posts,
                int count);
  BordersFunction borders;
  void (*pack)(const Row& row);
  void (*unpack)(const Row& row);
  // Adds the pixels of a row to `sums`, by channel.
  void (*add_row)(const Row& row, double* sums);
  void (*arrange)(const Arranged& of);
  void (*attend)(const Attended& of);
  const Int8Kernels* int8;  // With the same number of lanes, or null.
};

constexpr int kMostRows = 4;
constexpr int kMostVectors = 12;
// Sizes of groups of outputs, the largest first.
constexpr int kGroups[] = {4, 2};

// The kernels with this name; without a name, the fastest ones. Returns null if
// this CPU has no such kernels. "portable" runs on every CPU. Kernels in
// float16 have no int8 kernels.
const Kernels* find_kernels(const char* name);

}  // namespace issp

#endif  // ISSP_KERNELS_H_
