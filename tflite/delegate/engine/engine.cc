// The functions of issp_engine.h. They throw no exception, because the caller
// may be C.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "issp_engine.h"
#include "session.h"
#include "upscaler.h"

#ifndef ISSP_VERSION
#define ISSP_VERSION "unknown"
#endif

// WebAssembly builds have no exceptions. They abort instead of throwing.
#if __cpp_exceptions
#define ISSP_TRY try
#define ISSP_CATCH catch (const std::exception&)
#else
#define ISSP_TRY if (true)
#define ISSP_CATCH else
#endif

using issp::Options;
using issp::Size;
using issp::engine::Image;
using issp::engine::Rectangle;
using issp::engine::Session;
using issp::engine::Upscaler;

struct issp_network {
  issp_network(std::vector<uint64_t> file, size_t bytes, const Options& options)
      : session(std::move(file), bytes, options), upscaler(&session) {}

  Session session;
  Upscaler upscaler;
  std::string description;
  // No `std::string`, because it also reports that memory is missing.
  char error[256] = "";
};

namespace {

constexpr char kNoMemory[] = "there is no memory";
constexpr char kNoTile[] = "there is no such tile";
constexpr char kChannels[] = "a pixel has 3 or 4 channels";
constexpr int kMostThreads = 256;

// The text is no `std::string`, because there may be no memory for one.
void copy_text(std::string_view text, char* to, size_t size) {
  if (!to || !size) return;
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(to, text.data(), length);
  to[length] = 0;
}

Options options_of(const issp_options* from) {
  Options options;
  options.always = true;
  if (from) {
    options.threads = std::min(std::max(from->threads, 0), kMostThreads);
    options.cache_bytes = size_t(std::max(from->cache_bytes, 0));
    if (from->tuning_seconds >= 0) {
      options.tuning_seconds = from->tuning_seconds;
    }
    options.profile = from->profile != 0;
  }
  issp::set_kernels(&options);
  return options;
}

std::unique_ptr<issp_network> open(std::vector<uint64_t> file, size_t bytes,
                                   const issp_options* options,
                                   std::string* error) {
  auto network = std::make_unique<issp_network>(std::move(file), bytes,
                                                options_of(options));
  *error = network->session.open();
  if (!error->empty()) network.reset();
  return network;
}

// Enough words for `bytes` bytes.
std::vector<uint64_t> words(size_t bytes) {
  return std::vector<uint64_t>((bytes + 7) / sizeof(uint64_t));
}

// WebAssembly has no files.
#ifndef __wasm__
std::string read_file(const char* path, std::vector<uint64_t>* file,
                      size_t* bytes) {
  struct Close {
    void operator()(std::FILE* of) const { std::fclose(of); }
  };
  const std::unique_ptr<std::FILE, Close> of(std::fopen(path, "rb"));
  if (!of) return std::string(path) + " cannot be opened";
  long size = -1;
  if (!std::fseek(of.get(), 0, SEEK_END)) size = std::ftell(of.get());
  if (size < 0 || std::fseek(of.get(), 0, SEEK_SET)) {
    return std::string(path) + " is no file";
  }
  *file = words(size_t(size));
  *bytes = size_t(size);
  if (std::fread(file->data(), 1, *bytes, of.get()) != *bytes) {
    return std::string(path) + " cannot be read";
  }
  return "";
}
#endif

void describe_image(const Image& image, issp_image* to) {
  static_assert(int(issp::kPixelsFloat32) == ISSP_FLOAT32, "as in C");
  static_assert(int(issp::kPixelsInt8) == ISSP_INT8, "as in C");
  static_assert(int(issp::kPixelsUint8) == ISSP_UINT8, "as in C");
  *to = {image.size.height,
         image.size.width,
         image.channels,
         issp_type(image.type),
         image.quantization.scale,
         image.quantization.zero_point};
}

issp_rectangle in_c(const Rectangle& of) {
  return {of.top, of.left, of.height, of.width};
}

// Calls a function that returns an error, or an empty string. Returns 0 or -1.
template <class Function>
int guarded(issp_network* network, const Function& function) {
  ISSP_TRY {
    const std::string error = function();
    copy_text(error, network->error, sizeof(network->error));
    return error.empty() ? 0 : -1;
  }
  ISSP_CATCH {
    std::strcpy(network->error, kNoMemory);
    return -1;
  }
}

}  // namespace

const char* issp_version() { return ISSP_VERSION; }

issp_network* issp_open(const void* bytes, size_t size,
                        const issp_options* options, char* error,
                        size_t error_size) {
  ISSP_TRY {
    std::vector<uint64_t> file = words(size);
    if (size) std::memcpy(file.data(), bytes, size);
    std::string problem;
    auto network = open(std::move(file), size, options, &problem);
    copy_text(problem, error, error_size);
    return network.release();
  }
  ISSP_CATCH {
    copy_text(kNoMemory, error, error_size);
    return nullptr;
  }
}

#ifndef __wasm__
issp_network* issp_open_file(const char* path, const issp_options* options,
                             char* error, size_t error_size) {
  ISSP_TRY {
    std::vector<uint64_t> file;
    size_t bytes = 0;
    std::string problem = read_file(path, &file, &bytes);
    std::unique_ptr<issp_network> network;
    if (problem.empty()) {
      network = open(std::move(file), bytes, options, &problem);
    }
    copy_text(problem, error, error_size);
    return network.release();
  }
  ISSP_CATCH {
    copy_text(kNoMemory, error, error_size);
    return nullptr;
  }
}
#endif

void issp_close(issp_network* network) { delete network; }

void issp_input(const issp_network* network, issp_image* image) {
  describe_image(network->session.input(), image);
}

void issp_output(const issp_network* network, issp_image* image) {
  describe_image(network->session.output(), image);
}

int issp_resize(issp_network* network, int32_t height, int32_t width) {
  return guarded(network, [&] {
    return network->session.resize(Size{height, width});
  });
}

int issp_run(issp_network* network, const void* input, void* output) {
  return guarded(network, [&]() -> std::string {
    return network->session.run(input, output) ? "" : "no size is set";
  });
}

int issp_start(issp_network* network, int32_t height, int32_t width,
               int32_t tile, int32_t overlap) {
  const int status = guarded(network, [&] {
    return network->upscaler.start(Size{height, width}, tile, overlap);
  });
  return status ? status : network->upscaler.tiles();
}

int issp_scale(const issp_network* network) {
  return network->upscaler.scale();
}

int issp_upscale(issp_network* network, int32_t index, const uint8_t* pixels,
                 size_t stride, int32_t channels, uint8_t* result,
                 size_t result_stride) {
  return guarded(network, [&]() -> std::string {
    if (channels != 3 && channels != 4) return kChannels;
    return network->upscaler.upscale(index, {pixels, stride, channels},
                                     {result, result_stride, channels});
  });
}

int issp_tile(issp_network* network, int32_t index, issp_rectangle* needed,
              issp_rectangle* made) {
  return guarded(network, [&]() -> std::string {
    const Upscaler& upscaler = network->upscaler;
    if (index < 0 || index >= upscaler.tiles()) return kNoTile;
    *needed = in_c(upscaler.needed(index));
    *made = in_c(upscaler.made(index));
    return "";
  });
}

int issp_upscale_tile(issp_network* network, int32_t index,
                      const uint8_t* pixels, size_t stride, int32_t channels,
                      uint8_t* result, size_t result_stride) {
  return guarded(network, [&]() -> std::string {
    Upscaler& upscaler = network->upscaler;
    if (channels != 3 && channels != 4) return kChannels;
    if (index < 0 || index >= upscaler.tiles()) return kNoTile;
    const Rectangle needed = upscaler.needed(index);
    const Rectangle made = upscaler.made(index);
    const int scale = upscaler.scale();
    return upscaler.upscale(
        index, {pixels, stride, channels, needed.top, needed.left},
        {result, result_stride, channels, scale * made.top, scale * made.left});
  });
}

const char* issp_error(const issp_network* network) { return network->error; }

const char* issp_describe(issp_network* network) {
  const int status = guarded(network, [&]() -> std::string {
    network->description = network->session.describe();
    return "";
  });
  return status ? nullptr : network->description.c_str();
}
