#include "layout.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "int8_kernels.h"
#include "measure.h"

namespace issp {
namespace {

// The largest ratio of image sizes in a network.
constexpr int64_t kLargestScale = 4096;

struct Ratio {
  int64_t top = 1;
  int64_t bottom = 1;

  Ratio times(int64_t by) const { return reduced(top * by, bottom); }
  Ratio over(int64_t by) const { return reduced(top, bottom * by); }
  bool operator!=(const Ratio& other) const {
    return top != other.top || bottom != other.bottom;
  }

 private:
  static Ratio reduced(int64_t top, int64_t bottom) {
    const int64_t divisor = std::gcd(top, bottom);
    return {top / divisor, bottom / divisor};
  }
};

// Chooses the number of vectors of a row. It depends on the widest image of
// each connected part of the network. Single pixels connect no parts.
bool set_strips(const Network& network, Layout* layout, std::string* error) {
  std::vector<Image>& images = layout->images;
  const int count = int(images.size());
  std::vector<int> part(count, -1);
  std::vector<Ratio> ratio(count);
  // Connects two images. Returns whether their ratio is possible for strips.
  const auto join = [&](int a, int b, Ratio to) {
    // Value b is `to` times as large as a.
    if (part[b] == part[a]) return !(ratio[b] != to);
    const int old = part[b];
    const Ratio from = ratio[b];
    for (int v = 0; v < count; ++v) {
      if (part[v] != old) continue;
      part[v] = part[a];
      ratio[v] = ratio[v].times(to.top).over(to.bottom);
      ratio[v] = ratio[v].times(from.bottom).over(from.top);
      if (std::max(ratio[v].top, ratio[v].bottom) > kLargestScale) return false;
    }
    return true;
  };
  for (int v = 0; v < count; ++v) part[v] = v;
  for (const Operation& of : network.operations) {
    if (of.kind == Operation::kAttention) {
      const bool fits = join(of.input, of.output, ratio[of.input]) &&
                        join(of.input, of.attention.keys, ratio[of.input]) &&
                        join(of.input, of.attention.values, ratio[of.input]);
      if (!fits) {
        *error = of.name + ": takes images of different scales";
        return false;
      }
    }
    if (!of.has_tiles()) continue;
    const Ratio core = ratio[of.input].over(of.stride.width);
    bool fits = join(of.input, of.output, core.times(of.block));
    for (const Post& post : of.posts) {
      if (post.value < 0 || layout->is_pixel_of(of, post)) continue;
      fits = fits && join(of.input, post.value,
                          ratio[of.input].over(of.stride.width).times(
                              post.shuffled ? of.block : 1));
    }
    if (!fits) {
      *error = of.name + ": takes images of different scales";
      return false;
    }
  }
  const int lanes = layout->format.lanes;
  for (int root = 0; root < count; ++root) {
    int64_t unit = 1;
    const auto divide = [&](const Ratio& of) {
      if (unit <= kLargestScale) unit = std::lcm(unit, of.bottom);
    };
    for (int v = 0; v < count; ++v) {
      if (part[v] == root) divide(ratio[v]);
    }
    // Sums before DEPTH_TO_SPACE may have a smaller size than any image.
    for (const Operation& of : network.operations) {
      if (of.has_tiles() && part[of.input] == root) {
        divide(ratio[of.input].over(of.stride.width));
      }
    }
    if (unit > kLargestScale) {
      *error = "its images have too many scales";
      return false;
    }
    int64_t units = 1;
    for (int v = 0; v < count; ++v) {
      if (part[v] != root) continue;
      const int64_t of_unit = unit * ratio[v].top / ratio[v].bottom * lanes;
      units = std::max(
          units, (images[v].size.width + of_unit - 1) / of_unit);
    }
    for (int v = 0; v < count; ++v) {
      if (part[v] != root) continue;
      images[v].strip = int(units * unit * ratio[v].top / ratio[v].bottom);
    }
  }
  return true;
}

// Bytes of a row of one plane. This may exceed the address space.
uint64_t bytes_of_channel(const Image& image, const Format& format) {
  uint64_t vectors = uint64_t(image.left) + image.strip + image.right;
  // Otherwise channels would share few sets of the cache.
  if (vectors % 8 == 0) ++vectors;
  return vectors * format.vector();
}

// Chooses the margins of an image. They depend on its users.
void set_margins(const Network& network, Layout* layout) {
  std::vector<Image>& images = layout->images;
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (!of.has_tiles()) continue;
    Image& in = images[of.input];
    const Image& out = images[of.output];
    const Padding& padding = layout->paddings[i];
    const int height = out.size.height / of.block;
    const int width = out.size.width / of.block;
    const int reach = (of.kernel.width - 1) * of.dilation.width - padding.left;
    in.left = std::max(in.left, padding.left);
    in.right = std::max(in.right, reach - of.stride.width + 1);
    in.zeros = std::max(
        in.zeros, (width - 1) * of.stride.width + reach + 1 - in.size.width);
    in.top = std::max(in.top, padding.top);
    in.bottom = std::max(
        in.bottom, (height - 1) * of.stride.height +
                       (of.kernel.height - 1) * of.dilation.height -
                       padding.top + 1 - in.size.height);
  }
  for (Image& image : images) {
    image.channel = size_t(bytes_of_channel(image, layout->format));
    image.row = image.channel * image.planes;
  }
}

// Whether all offsets of kernels fit into 32 bits.
bool has_addresses(const Network& network, const Layout& layout,
                   std::string* error) {
  const std::vector<Image>& images = layout.images;
  constexpr size_t kLargest = size_t{1} << 30;
  std::vector<size_t> rows(images.size(), 1);
  for (const Operation& of : network.operations) {
    if (of.kind == Operation::kArrange) {
      rows[of.input] = std::max(rows[of.input],
                                size_t(images[of.input].size.height));
    }
    if (!of.has_tiles()) continue;
    const size_t reach = size_t(of.kernel.height) * of.dilation.height;
    rows[of.input] = std::max(rows[of.input], reach);
    rows[of.output] = std::max(rows[of.output], size_t(of.block));
    for (const Post& post : of.posts) {
      if (post.value < 0) continue;
      rows[post.value] = std::max(rows[post.value], size_t(of.block));
    }
  }
  for (size_t v = 0; v < images.size(); ++v) {
    const uint64_t row =
        bytes_of_channel(images[v], layout.format) * images[v].planes;
    if (row <= kLargest / rows[v]) continue;
    *error = "its images are too wide";
    return false;
  }
  return true;
}

}  // namespace

bool Layout::is_pixel_of(const Operation& of, const Post& post) const {
  const int block = post.shuffled ? 1 : of.block;
  return images[post.value].size == Size{1, 1} &&
         images[of.output].size != Size{block, block};
}

int Layout::rows_of(const Operation& of) const {
  if (of.output < 0 || of.kind == Operation::kMean) {
    return images[of.input].size.height;
  }
  return images[of.output].size.height / of.block;
}

Format format_of(const Kernels& kernels) {
  return {kernels.lanes, kernels.scalar_bytes,
          kernels.int8 ? kernels.int8->offset : 0};
}

bool Layout::begins_with_image(const Operation& of) const {
  return !of.posts.empty() && of.posts[0].kind == kAdd &&
         !is_pixel_of(of, of.posts[0]);
}

std::string lay_out(const Network& network, const std::vector<Size>& sizes,
                    Format format, Layout* layout) {
  layout->format = format;
  std::string error = measure(network, sizes, layout).text;
  if (!error.empty() || !set_strips(network, layout, &error)) return error;
  set_margins(network, layout);
  has_addresses(network, *layout, &error);
  return error;
}

std::string conflict(const Network& network, const std::vector<Size>& sizes,
                     Format format) {
  Layout layout{format, {}, {}};
  // Images may be resized to a size that fits.
  if (measure(network, sizes, &layout).is_by_size) return "";
  return lay_out(network, sizes, format, &layout);
}

}  // namespace issp
