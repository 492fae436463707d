/* Upscales a photograph with a network.
 *
 *     issp_upscale NETWORK.tflite PHOTOGRAPH RESULT [THREADS]
 *
 * Photographs are PPM files (P6, 8 bits). PNG files also work if this is
 * compiled with libpng. The only header of the engine is issp_engine.h.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ISSP_PNG
#include <png.h>
#endif

#include "issp_engine.h"

typedef struct photograph {
  int32_t height;
  int32_t width;
  int32_t channels; /* 3 or 4. */
  uint8_t* pixels;
} photograph;

enum { kLargestSide = 1 << 16 };

static int fail(const char* path, const char* problem) {
  fprintf(stderr, "%s: %s.\n", path, problem);
  return 1;
}

static int is_png(const char* path) {
  const char* end = strrchr(path, '.');
  return end && !strcmp(end, ".png");
}

/* Allocates the pixels. Returns 0 if memory is missing. */
static int allocate(photograph* of) {
  of->pixels = malloc((size_t)of->height * of->width * of->channels);
  return of->pixels != NULL;
}

/* The following functions return an error, or NULL. */

static const char* read_ppm(const char* path, photograph* read) {
  FILE* file = fopen(path, "rb");
  if (!file) return "cannot be opened";
  const char* problem = NULL;
  int most = 0;
  if (fscanf(file, "P6 %d %d %d", &read->width, &read->height, &most) != 3 ||
      most != 255 || fgetc(file) == EOF || read->width < 1 ||
      read->height < 1 || read->width > kLargestSide ||
      read->height > kLargestSide) {
    problem = "is no PPM file of 8 bits (P6)";
  }
  read->channels = 3;
  if (!problem && !allocate(read)) problem = "is too large";
  if (!problem) {
    const size_t bytes = (size_t)read->height * read->width * 3;
    if (fread(read->pixels, 1, bytes, file) != bytes) problem = "ends too early";
  }
  fclose(file);
  return problem;
}

static const char* write_ppm(const char* path, const photograph* of) {
  FILE* file = fopen(path, "wb");
  if (!file) return "cannot be written";
  const size_t bytes = (size_t)of->height * of->width * 3;
  const int is_written =
      fprintf(file, "P6\n%d %d\n255\n", of->width, of->height) > 0 &&
      fwrite(of->pixels, 1, bytes, file) == bytes;
  return fclose(file) || !is_written ? "cannot be written" : NULL;
}

#ifdef ISSP_PNG

static const char* read_png(const char* path, photograph* read) {
  png_image image;
  memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, path)) return "is no PNG file";
  const int has_alpha = (image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  image.format = has_alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  const char* problem = NULL;
  if (image.width > kLargestSide || image.height > kLargestSide) {
    problem = "is too large";
  } else {
    read->height = (int32_t)image.height;
    read->width = (int32_t)image.width;
    read->channels = has_alpha ? 4 : 3;
    if (!allocate(read)) {
      problem = "is too large";
    } else if (!png_image_finish_read(&image, NULL, read->pixels, 0, NULL)) {
      problem = "is a broken PNG file";
    }
  }
  png_image_free(&image);
  return problem;
}

static const char* write_png(const char* path, const photograph* of) {
  png_image image;
  memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  image.width = (png_uint_32)of->width;
  image.height = (png_uint_32)of->height;
  image.format = of->channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  const int is_written =
      png_image_write_to_file(&image, path, 0, of->pixels, 0, NULL);
  return is_written ? NULL : "cannot be written";
}

#else

static const char kNoPng[] = "is a PNG file, and this knows PPM files alone";
static const char* read_png(const char* path, photograph* read) {
  (void)path;
  (void)read;
  return kNoPng;
}
static const char* write_png(const char* path, const photograph* of) {
  (void)path;
  (void)of;
  return kNoPng;
}

#endif

/* Upscales a photograph tile by tile. */
static const char* upscale(issp_network* network, const photograph* from,
                           photograph* to) {
  const int tiles = issp_start(network, from->height, from->width, 0, -1);
  if (tiles < 0) return issp_error(network);
  const int scale = issp_scale(network);
  to->height = scale * from->height;
  to->width = scale * from->width;
  to->channels = from->channels;
  if (!allocate(to)) return "is too large to be upscaled";
  for (int i = 0; i < tiles; ++i) {
    if (issp_upscale(network, i, from->pixels,
                     (size_t)from->width * from->channels, from->channels,
                     to->pixels, (size_t)to->width * to->channels)) {
      return issp_error(network);
    }
    fprintf(stderr, "\r%d of %d tiles%s", i + 1, tiles,
            i + 1 == tiles ? "\n" : "");
  }
  return NULL;
}

int main(int count, char** arguments) {
  if (count < 4 || count > 5) {
    fprintf(stderr, "usage: %s NETWORK.tflite PHOTOGRAPH RESULT [THREADS]\n",
            arguments[0]);
    return 2;
  }
  const char *from = arguments[2], *to = arguments[3];
  issp_options options = {0, 0, -1, 0};
  if (count > 4) options.threads = atoi(arguments[4]);
  char error[256];
  issp_network* network =
      issp_open_file(arguments[1], &options, error, sizeof(error));
  if (!network) return fail(arguments[1], error);
  photograph photo = {0, 0, 0, NULL}, larger = {0, 0, 0, NULL};
  int status = 0;
  const char* problem =
      is_png(from) ? read_png(from, &photo) : read_ppm(from, &photo);
  if (!problem && photo.channels == 4 && !is_png(to)) {
    problem = "has alpha, which a PPM file has not";
  }
  if (!problem) problem = upscale(network, &photo, &larger);
  if (problem) {
    status = fail(from, problem);
  } else {
    problem = is_png(to) ? write_png(to, &larger) : write_ppm(to, &larger);
    if (problem) status = fail(to, problem);
  }
  free(photo.pixels);
  free(larger.pixels);
  issp_close(network);
  return status;
}
