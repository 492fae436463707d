/* Runs sparse super-resolution networks from `.tflite` files, without TFLite.
 *
 *   char error[256];
 *   issp_network* network =
 *       issp_open_file("network.tflite", NULL, error, sizeof(error));
 *   if (!network) return fail(error);
 *   int tiles = issp_start(network, height, width, 0, -1);
 *   for (int i = 0; i < tiles; ++i) {
 *     issp_upscale(network, i, rgb, 3 * width, 3, larger, 3 * scale * width);
 *   }
 *   issp_close(network);
 *
 * A network takes one image and makes one image. The file may accept images of
 * any size. The engine must know all operators of the network. If it does not,
 * the error of `issp_open` names the first unknown one.
 *
 * Only one thread at a time may use a network. Different networks share
 * nothing. No function throws, and none writes to the terminal.
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
  /* Number of threads, at most 256; 0 for one per core. */
  int32_t threads;
  /* Bytes of CPU cache to use; 0 for a value that fits this CPU. */
  int32_t cache_bytes;
  /* Seconds for choosing the fastest tiles, for each image size. A value below
   * 0 means 0.1. */
  double tuning_seconds;
  /* If not 0, `issp_describe` reports the time of each layer. */
  int32_t profile;
} issp_options;

/* The input or output image of a network. It is stored row by row. The
 * channels of a pixel are next to each other. */
typedef struct issp_image {
  int32_t height; /* 0 if the file accepts any height and none is set. */
  int32_t width;
  int32_t channels;
  issp_type type;
  /* A number of ISSP_INT8 and ISSP_UINT8 stands for the value
   * (number - zero_point) * scale. */
  float scale;
  int32_t zero_point;
} issp_image;

/* The version of the engine: a hash of its sources. */
ISSP_API const char* issp_version(void);

/* Opens a network from the bytes of a `.tflite` file. The bytes are copied.
 *
 * `options` may be NULL. If this fails, it returns NULL and writes the reason
 * to `error`, as one sentence of at most `error_size` bytes. */
ISSP_API issp_network* issp_open(const void* bytes, size_t size,
                                 const issp_options* options, char* error,
                                 size_t error_size);

/* Like `issp_open`, for a file. */
ISSP_API issp_network* issp_open_file(const char* path,
                                      const issp_options* options, char* error,
                                      size_t error_size);

/* Closes a network. NULL is allowed and does nothing. */
ISSP_API void issp_close(issp_network* network);

/* The input and output image of a network. If the file accepts any size, the
 * sizes are those of the last `issp_resize`. */
ISSP_API void issp_input(const issp_network* network, issp_image* image);
ISSP_API void issp_output(const issp_network* network, issp_image* image);

/* Prepares for images of a size. This takes longer than a run. Returns 0, or -1
 * if the network does not accept this size or memory is missing. */
ISSP_API int issp_resize(issp_network* network, int32_t height, int32_t width);

/* Computes one image. `input` and `output` have the forms of `issp_input` and
 * `issp_output`. Returns 0, or -1 if no size is set. */
ISSP_API int issp_run(issp_network* network, const void* input, void* output);

/* Prepares to upscale a photograph of any size in tiles.
 *
 * `tile` is the side of a tile in pixels; 0 means 192. A side may be up to 15
 * pixels longer, so that all tiles begin at multiples of 16. If the file has a
 * fixed size, tiles have that size. Tiles overlap by `overlap` pixels. If
 * `overlap` is below 0, they overlap by the receptive field of the network, but
 * by at most a quarter of a tile. If the overlap covers the receptive field,
 * the result equals that of the whole photograph, without seams. The input and
 * output of the network must be RGB. Returns the number of tiles, or -1.
 *
 * A later `issp_resize` to another size ends this. */
ISSP_API int issp_start(issp_network* network, int32_t height, int32_t width,
                        int32_t tile, int32_t overlap);

/* The factor by which each side is upscaled; 0 before `issp_start`. */
ISSP_API int issp_scale(const issp_network* network);

/* Upscales tile `index` of the photograph of `issp_start`. Tiles are numbered
 * from 0 and may be computed in any order.
 *
 * `pixels` is 8-bit RGB (`channels` is 3) or RGBA (4). `result` receives the
 * upscaled pixels in the same form. `stride` and `result_stride` are the bytes
 * from row to row. Alpha is scaled bilinearly. Returns 0, or -1. */
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

/* Gets the part of the photograph that tile `index` needs, and the part that it
 * upscales. Both are in pixels of the photograph, before scaling by
 * `issp_scale`. Returns 0, or -1. */
ISSP_API int issp_tile(issp_network* network, int32_t index,
                       issp_rectangle* needed, issp_rectangle* made);

/* Like `issp_upscale`, for photographs or results that do not fit into memory.
 * `pixels` begins with the needed part of `issp_tile`, and `result` with the
 * upscaled `made` part. */
ISSP_API int issp_upscale_tile(issp_network* network, int32_t index,
                               const uint8_t* pixels, size_t stride,
                               int32_t channels, uint8_t* result,
                               size_t result_stride);

/* The reason why the last function returned -1, as one sentence. It is valid
 * until the next call. */
ISSP_API const char* issp_error(const issp_network* network);

/* Describes the network, and how the engine computes it here, as JSON. It is
 * valid until the next call. Returns NULL if memory is missing. */
ISSP_API const char* issp_describe(issp_network* network);

#ifdef __cplusplus
}
#endif

#endif /* ISSP_ENGINE_H_ */
