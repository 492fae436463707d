#include "window_program.h"

#include <algorithm>

#include "kernels.h"

namespace issp {
namespace {

constexpr float kLog2E = 1.44269504f;

// The offset of a pixel in a row, in bytes.
int32_t place_of(int x, const Image& image, const Format& format) {
  return int32_t(size_t(x % image.strip) * format.vector() +
                 size_t(x / image.strip) * size_t(format.scalar_bytes));
}

void lower_arranged(const Operation& of, const Layout& layout,
                    WindowProgram* program) {
  const Image& in = layout.images[of.input];
  const Image& out = layout.images[of.output];
  const int width = out.size.width;
  program->vectors = out.left + out.strip + out.right;
  for (int y = 0; y < out.size.height; ++y) {
    const int* sources = of.sources->data() + size_t(y) * size_t(width);
    for (int t = -out.left; t < out.strip + out.right; ++t) {
      for (int lane = 0; lane < layout.format.lanes; ++lane) {
        const int x = lane * out.strip + t;
        if (x < 0 || x >= width) {
          program->offsets.push_back(-1);
          continue;
        }
        const int row = sources[x] / in.size.width;
        program->offsets.push_back(
            int32_t(size_t(row) * in.row) +
            place_of(sources[x] % in.size.width, in, layout.format));
      }
    }
  }
}

void lower_attention(const Operation& of, const Layout& layout,
                     WindowProgram* program) {
  const Attention& attention = of.attention;
  const Image& image = layout.images[of.input];
  const int pixels = attention.pixels, lanes = layout.format.lanes;
  program->vectors = image.strip;
  for (int x = 0; x < pixels; ++x) {
    program->places.push_back(place_of(x, image, layout.format));
  }
  // A table has the products of all queries and keys.
  const size_t table = size_t(pixels) * size_t(pixels);
  for (size_t i = 0; i < attention.added.size(); i += table) {
    for (int key = 0; key < pixels; ++key) {
      for (int t = 0; t < image.strip; ++t) {
        for (int lane = 0; lane < lanes; ++lane) {
          const int query = lane * image.strip + t;
          program->added.push_back(
              query < pixels
                  ? attention.added[i + size_t(query) * size_t(pixels) +
                                    size_t(key)] *
                        kLog2E
                  : 0);
        }
      }
    }
  }
}

}  // namespace

std::vector<WindowProgram> lower_windows(const Network& network,
                                         const Layout& layout) {
  std::vector<WindowProgram> programs(network.operations.size());
  for (size_t i = 0; i < programs.size(); ++i) {
    const Operation& of = network.operations[i];
    if (of.kind == Operation::kArrange) {
      lower_arranged(of, layout, &programs[i]);
    } else if (of.kind == Operation::kAttention) {
      lower_attention(of, layout, &programs[i]);
    }
  }
  return programs;
}

size_t scratch_of(const Network& network) {
  size_t most = 0;
  for (const Operation& of : network.operations) {
    if (of.kind != Operation::kAttention) continue;
    most = std::max(most, scratch_vectors(of.attention.pixels,
                                          of.attention.channels));
  }
  return most;
}

}  // namespace issp
