/* Runs sparse super-resolution networks from `.tflite` files, without TFLite.
 *
 *   char error[256];
 *   issp_network* network =
 *       issp_open_file("network.tflite", NULL, error, sizeof(error));
 *   if (!network) return fail(error);
 *   int tiles = issp_start(network, height, width, 0, 0);
 *   for (int i = 0; i < tiles; ++i) {
 *     issp_upscale(network, i, rgb, 3 * width, 3, larger, 3 * scale * width);
 *   }
 *   issp_close(network);
 *
 * A network takes one image and makes one, of which the file may leave the
 * size open. All its operators must be known; `issp_open` names the first one
 * that is not.
 *
 * A network is used by one thread at a time. Different networks do not share
 * anything. No function throws, and none writes to the terminal.
 */

#ifndef ISSP_ENGINE_H_
#define ISSP_ENGINE_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define ISSP_API __attribute__((visibility("default")))
#else
#define ISSP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An open network. */
typedef struct issp_network issp_network;

typedef enum issp_type {
  ISSP_FLOAT32 = 0, /* 0 is black, 1 is white. */
  ISSP_INT8 = 1,
  ISSP_UINT8 = 2
} issp_type;

typedef struct issp_options {
  /* That compute, at most 256; 0 for one on each core. */
  int32_t threads;
  /* Bytes of images that are worked on at once; 0 for what fits this CPU. */
  int32_t cache_bytes;
  /* Seconds that may be spent to find what is fastest here, for each size;
   * below 0 for 0.1. */
  double tuning_seconds;
  /* Whether `issp_describe` tells the time of each layer. */
  int32_t profile;
} issp_options;

/* An image that a network takes or makes: rows of pixels, whose channels are
 * beside each other. */
typedef struct issp_image {
  int32_t height; /* 0 where the file leaves it open and none is set. */
  int32_t width;
  int32_t channels;
  issp_type type;
  float scale; /* Of ISSP_INT8 and ISSP_UINT8: (number - zero_point) * scale */
  int32_t zero_point; /* is the number that it stands for. */
} issp_image;

/* Which sources this is made of. */
ISSP_API const char* issp_version(void);

/* Opens a network from the bytes of a `.tflite` file, which are copied.
 *
 * `options` may be NULL. Returns NULL if that fails, and writes a sentence that
 * says why to `error`, cut to `error_size` bytes. */
ISSP_API issp_network* issp_open(const void* bytes, size_t size,
                                 const issp_options* options, char* error,
                                 size_t error_size);

/* The same from a file. */
ISSP_API issp_network* issp_open_file(const char* path,
                                      const issp_options* options, char* error,
                                      size_t error_size);

/* Closes a network, or does nothing with NULL. */
ISSP_API void issp_close(issp_network* network);

/* What a network takes and makes. Sizes that the file leaves open are those of
 * the last `issp_resize`. */
ISSP_API void issp_input(const issp_network* network, issp_image* image);
ISSP_API void issp_output(const issp_network* network, issp_image* image);

/* Prepares for images of a size, which takes longer than a run. Returns 0, or
 * -1 if there are no such images or there is no memory. */
ISSP_API int issp_resize(issp_network* network, int32_t height, int32_t width);

/* Computes one image. `input` and `output` are those of `issp_input` and
 * `issp_output`. Returns 0, or -1 if no size is set. */
ISSP_API int issp_run(issp_network* network, const void* input, void* output);

/* Prepares to upscale a photograph of any size in tiles.
 *
 * `tile` is the side of a tile in pixels, 0 for 192. Tiles have up to 15 pixels
 * more, so that all begin at multiples of 16; a file of one size has tiles of
 * that size. They overlap by `overlap` pixels, or by as many as the network sees
 * around a pixel where that is below 0, up to a quarter of a tile: where that is
 * enough, no seam differs from the photograph as a whole. Returns how many tiles
 * there are, or -1. The network must take and make RGB. */
ISSP_API int issp_start(issp_network* network, int32_t height, int32_t width,
                        int32_t tile, int32_t overlap);

/* How many times larger each side becomes; 0 before `issp_start`. */
ISSP_API int issp_scale(const issp_network* network);

/* Upscales tile `index` of the photograph of `issp_start`, from 0 on, in any
 * order.
 *
 * `pixels` has RGB (`channels` is 3) or RGBA (4) in 8 bits, and `result` gets
 * the same, scaled; `stride` and `result_stride` are bytes from row to row.
 * Alpha is scaled bilinearly. Returns 0, or -1. */
ISSP_API int issp_upscale(issp_network* network, int32_t index,
                          const uint8_t* pixels, size_t stride,
                          int32_t channels, uint8_t* result,
                          size_t result_stride);

/* A part of a photograph, in pixels. */
typedef struct issp_rectangle {
  int32_t top;
  int32_t left;
  int32_t height;
  int32_t width;
} issp_rectangle;

/* What tile `index` needs of the photograph of `issp_start`, and which pixels
 * it makes, each `issp_scale` times larger. Returns 0, or -1. */
ISSP_API int issp_tile(issp_network* network, int32_t index,
                       issp_rectangle* needed, issp_rectangle* made);

/* The same as `issp_upscale`, where photograph or result do not fit into
 * memory: `pixels` begins with what `issp_tile` says that is needed, and
 * `result` with what is made. */
ISSP_API int issp_upscale_tile(issp_network* network, int32_t index,
                               const uint8_t* pixels, size_t stride,
                               int32_t channels, uint8_t* result,
                               size_t result_stride);

/* Why the last function failed that returned -1, as a sentence; valid until
 * the next call. */
ISSP_API const char* issp_error(const issp_network* network);

/* The network and how it is computed here, as JSON; valid until the next call.
 * NULL without memory. */
ISSP_API const char* issp_describe(issp_network* network);

#ifdef __cplusplus
}
#endif

#endif /* ISSP_ENGINE_H_ */
