#include "program.h"

#include <algorithm>
#include <utility>

#include "alike.h"
#include "liveness.h"
#include "tile_lowering.h"

namespace issp {
namespace {

// Sums of fewer products are not cut into blocks of channels.
constexpr double kProductsOfBlock = 20;
constexpr int kChannelsOfBlock = 8;

// Makes the program of some outputs of an operation.
class Lowering : public TileLowering {
 public:
  Lowering(const Layout& layout, const Kernels& kernels, const Operation& of,
           const Padding& padding, int group, const std::vector<int>& outputs)
      : TileLowering(layout, of, outputs),
        filters_(int(of.bias.size())),
        depth_(filters_ / (of.block * of.block)) {
    program_.group = group;
    for (int o : outputs) program_.bias.push_back(of.bias[o]);
    find_sums(kernels);
    set_weights(padding.left);
    set_posts();
  }

  Program take() { return std::move(program_); }

 private:
  using Lists = std::vector<std::vector<const Nonzero*>>;

  void find_sums(const Kernels& kernels) {
    for (int rows = 1; rows <= kMostRows; ++rows) {
      for (int vectors = 1; vectors <= kMostVectors; ++vectors) {
        program_.sums[rows][vectors] = kernels.find_sums(
            rows, vectors, program_.group, of_.stride.width != 1);
      }
    }
  }

  // Weights by block of channels and output. Sums of many products are cut, so
  // that the channels of a block stay in the L1 cache. The blocks are the same
  // on every machine, and so are the results.
  Lists weights_of_blocks() {
    const double products =
        double(of_.weights.size()) / std::max(filters_, 1);
    program_.blocks =
        std::max(1, std::min(int(products / kProductsOfBlock),
                             in_.channels / kChannelsOfBlock));
    std::vector<int> place_of(filters_, -1);
    for (int i = 0; i < program_.outputs; ++i) {
      place_of[program_.channels[i]] = i;
    }
    Lists lists(size_t(program_.blocks) * program_.outputs);
    for (const Nonzero& weight : of_.weights) {
      const int place = place_of[weight.output];
      if (place < 0) continue;
      const int block =
          int(int64_t(weight.channel) * program_.blocks / in_.channels);
      lists[size_t(block) * program_.outputs + place].push_back(&weight);
    }
    return lists;
  }

  void set_weights(int left) {
    const Lists lists = weights_of_blocks();
    program_.begins.push_back(0);
    for (size_t i = 0; i < lists.size(); i += program_.group) {
      // Each block has its own first begin.
      if (i && i % program_.outputs == 0) {
        program_.begins.push_back(uint32_t(program_.offsets.size()));
      }
      for (size_t k = 0; k < lists[i].size(); ++k) {
        const Nonzero& weight = *lists[i][k];
        program_.offsets.push_back(int32_t(
            offset_of(weight.row, weight.column, weight.channel, left)));
        for (int j = 0; j < program_.group; ++j) {
          program_.values.push_back(lists[i + j][k]->value);
        }
      }
      program_.begins.push_back(uint32_t(program_.offsets.size()));
    }
  }

  // The channel of the other image for output o, after DEPTH_TO_SPACE.
  int channel_of_other(const Post& post, int o) const {
    return post.channel_of_other(post.shuffled ? o % depth_ : o);
  }

  // The offsets of the outputs in the other image.
  std::vector<int32_t> offsets_in(const Image& other, const Post& post) const {
    std::vector<int32_t> offsets;
    for (int o : program_.channels) {
      const int place = post.shuffled ? o / depth_ : 0;
      offsets.push_back(
          offset_in(other, place * other.planes + channel_of_other(post, o),
                    other.planes, post.shuffled));
    }
    return offsets;
  }

  // If there are sums, the first addition and the first bounds are fused with
  // them.
  void set_posts() {
    size_t next = 0;
    const bool sums = of_.kind == Operation::kLinear;
    if (sums && layout_.begins_with_image(of_)) {
      const Post& post = of_.posts[next];
      const Image& add = layout_.images[post.value];
      program_.adds = true;
      program_.add_row = row_of(add, post);
      program_.add_vector = vector_of(post);
      program_.add_offsets = offsets_in(add, post);
      ++next;
    }
    if (sums && next < of_.posts.size() && of_.posts[next].kind == kClamp) {
      program_.clamps = true;
      program_.low = of_.posts[next].low;
      program_.high = of_.posts[next].high;
      ++next;
    }
    for (; next < of_.posts.size(); ++next) add_post(int(next));
  }

  void add_post(int number) {
    const Post& post = of_.posts[number];
    TilePost lowered{};
    lowered.kind = post.kind;
    lowered.low = post.low;
    lowered.high = post.high;
    lowered.a = by_output(post, post.a);
    lowered.b = by_output(post, post.b);
    program_.other_posts.push_back(post.value < 0 ? -1 : number);
    program_.post_offsets.emplace_back();
    if (post.value >= 0) {
      set_other(post, &lowered, &program_.post_offsets.back());
    }
    program_.posts.push_back(lowered);
  }

  const float* by_output(const Post& post, const std::vector<float>& all) {
    std::vector<float> numbers;
    for (int o : program_.channels) {
      if (!all.empty()) numbers.push_back(all[post.shuffled ? o % depth_ : o]);
    }
    program_.post_numbers.push_back(std::move(numbers));
    return program_.post_numbers.back().data();
  }

  void set_other(const Post& post, TilePost* lowered,
                 std::vector<int32_t>* offsets) const {
    const Image& other = layout_.images[post.value];
    *offsets = offsets_in(other, post);
    if (!layout_.is_pixel_of(of_, post)) {
      lowered->other_row = row_of(other, post);
      lowered->other_vector = vector_of(post);
    } else if (post.shuffled) {
      for (size_t i = 0; i < offsets->size(); ++i) {
        (*offsets)[i] =
            int32_t(channel_of_other(post, program_.channels[i]) *
                    int64_t(other.channel));
      }
    }
    lowered->other_offsets = offsets->data();
  }

  const int filters_;
  const int depth_;  // Channels of the output, after DEPTH_TO_SPACE.
};

bool is_int8(const Network& network, const Operation& of) {
  return network.values[of.input].is_int8 || network.values[of.output].is_int8;
}

// The outputs of an int8 operation with a used channel.
std::vector<int> planes_of(const Network& network, const Operation& of,
                           const std::vector<bool>& used) {
  const Value& made = network.values[of.output];
  const int planes = made.planes();
  const int channels = made.is_int8 ? kBlock : 1;
  std::vector<int> outputs;
  for (int o = 0; o < planes * of.block * of.block; ++o) {
    const int begin = o % planes * channels;
    const int end = std::min(begin + channels, made.channels);
    if (std::find(used.begin() + begin, used.begin() + end, true) !=
        used.begin() + end) {
      outputs.push_back(o);
    }
  }
  return outputs;
}

}  // namespace

std::vector<std::vector<Program>> lower(const Network& network,
                                        const Layout& layout,
                                        const Kernels& kernels) {
  const std::vector<std::vector<bool>> used = used_channels(network);
  std::vector<std::vector<Program>> programs(network.operations.size());
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (!of.has_tiles()) continue;
    const auto add = [&](int group, const std::vector<int>& outputs) {
      programs[i].push_back(
          Lowering(layout, kernels, of, layout.paddings[i], group, outputs)
              .take());
    };
    if (is_int8(network, of)) {
      programs[i].push_back(
          lower_int8(network, layout, kernels, of, layout.paddings[i],
                     planes_of(network, of, used[of.output])));
      continue;
    }
    std::vector<int> outputs;
    for (int o = 0; o < int(of.bias.size()); ++o) {
      if (used[of.output][channel_of(of, o)]) outputs.push_back(o);
    }
    int group = 1;
    const std::vector<int> grouped = take_alike(of, &outputs, &group);
    if (!grouped.empty()) add(group, grouped);
    if (!outputs.empty() || grouped.empty()) add(1, outputs);
  }
  return programs;
}

}  // namespace issp
