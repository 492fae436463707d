#include "execute.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "fill.h"

namespace issp {

Executor::Executor(const Network& network, const Layout& layout,
                   const std::vector<std::vector<Program>>& programs,
                   const std::vector<WindowProgram>& windows,
                   const Kernels& kernels, const Arena& arena, int threads)
    : network_(network),
      layout_(layout),
      programs_(programs),
      windows_(windows),
      kernels_(kernels),
      arena_(arena),
      scratch_lines_((scratch_of(network) * layout.format.vector() +
                      sizeof(Line) - 1) /
                     sizeof(Line)),
      scratch_(scratch_lines_ * size_t(threads)) {
  size_t channels = 0;
  for (const Operation& of : network.operations) {
    if (of.kind != Operation::kMean) continue;
    channels = std::max(channels, size_t(layout.images[of.output].channels));
  }
  sums_.resize(channels);
  int8_sums_.resize(channels);
  means_.resize(channels);
}

void Executor::execute(const Step& step, int turn, const Share& share,
                       const Ends& ends) {
  if (step.kind != Step::kCompute) {
    fill(step, turn, layout_, arena_.data());
    return;
  }
  switch (network_.operations[step.operation].kind) {
    case Operation::kLinear:
    case Operation::kAcross:
    case Operation::kQuantize:
    case Operation::kDequantize:
      for (const Program& program : programs_[step.operation]) {
        compute(step, turn, program);
      }
      break;
    case Operation::kArrange:
      arrange(step, turn);
      break;
    case Operation::kAttention:
      attend(step, turn, share.thread);
      break;
    case Operation::kMean:
      if (network_.values[network_.operations[step.operation].input].is_int8) {
        mean_int8(step, turn, share);
      } else {
        mean(step, turn, share);
      }
      break;
    case Operation::kInput:
    case Operation::kOutput:
      convert(step, turn, ends);
      break;
  }
}

void Executor::compute(const Step& step, int turn,
                       const Program& program) const {
  const int down = ceil_div(step.rows, program.tile_rows);
  const int across = ceil_div(program.strip, program.tile_vectors);
  for (int tile = 0; tile < down * across; ++tile) {
    const auto [row, row_end] = part_of(step.rows, tile % down, down);
    const auto [first, last] = part_of(program.strip, tile / down, across);
    if (program.int8.is_used) {
      run_int8_tile(step, turn, program, row, row_end - row, first,
                    last - first);
    } else {
      run_tile(step, turn, program, row, row_end - row, first, last - first);
    }
  }
}

// The tile at a row and a vector of a step.
template <class Of>
Of Executor::tile_of(const Step& step, int turn, const Program& program,
                     int row, int first) const {
  const Operation& of = network_.operations[step.operation];
  const size_t vector = layout_.format.vector();
  Of tile{};
  tile.input_row = of.stride.height * layout_.images[of.input].row;
  tile.input_vector = of.stride.width * vector;
  tile.input = at(step.input.at(turn)) + row * tile.input_row +
               first * tile.input_vector;
  tile.output_row = of.block * layout_.images[of.output].row;
  tile.output_vector = of.block * vector;
  tile.output = at(step.output.at(turn)) + row * tile.output_row +
                first * tile.output_vector;
  tile.output_offsets = program.output_offsets.data();
  tile.outputs = program.outputs;
  if (program.adds) {
    tile.add_row = program.add_row;
    tile.add_vector = program.add_vector;
    tile.add_offsets = program.add_offsets.data();
    tile.add = at(step.add.at(turn)) + row * program.add_row +
               first * program.add_vector;
  }
  return tile;
}

// Calls `run(post)` for each post of a tile, with the addresses of other
// images.
template <class Post, class Run>
void Executor::run_posts(const Step& step, int turn, const Program& program,
                         const std::vector<Post>& posts, int row, int first,
                         const Run& run) const {
  for (size_t i = 0; i < posts.size(); ++i) {
    Post post = posts[i];
    if (program.other_posts[i] >= 0) {
      post.other = at(step.others[i].at(turn)) + row * post.other_row +
                   first * post.other_vector;
    }
    run(post);
  }
}

void Executor::run_tile(const Step& step, int turn, const Program& program,
                        int row, int rows, int first, int vectors) const {
  Sums tile = tile_of<Sums>(step, turn, program, row, first);
  tile.offsets = program.offsets.data();
  tile.values = program.values.data();
  tile.bias = program.bias.data();
  tile.low = program.low;
  tile.high = program.high;
  make(network_.operations[step.operation], program, rows, vectors, &tile);
  run_posts(step, turn, program, program.posts, row, first,
            [&](const TilePost& post) {
              kernels_.posts(tile, rows, vectors, &post, 1);
            });
  kernels_.borders(tile, rows, first, vectors, program.border_begins.data(),
                   program.border_counts.data(), program.columns.data(), 0);
}

void Executor::run_int8_tile(const Step& step, int turn,
                             const Program& program, int row, int rows,
                             int first, int vectors) const {
  const Operation& of = network_.operations[step.operation];
  const Int8Program& int8 = program.int8;
  const Int8Kernels& kernels = *kernels_.int8;
  Int8Sums tile = tile_of<Int8Sums>(step, turn, program, row, first);
  tile.offsets = int8.offsets.data();
  if (of.kind == Operation::kQuantize) {
    kernels.quantize(tile, rows, vectors, int8.filters, int8.scale);
  } else if (of.kind == Operation::kDequantize) {
    kernels.dequantize(tile, rows, vectors, int8.scale);
  } else {
    tile.weights = int8.weights.data();
    tile.begins = int8.begins.data();
    tile.bias = int8.bias.data();
    tile.multipliers = int8.multipliers.data();
    tile.range = int8.range;
    tile.add_bits = int8.add_bits.data();
    tile.addition = int8.addition;
    tile.made = int8.made;
    int8.sums[rows][vectors](tile);
  }
  run_posts(step, turn, program, int8.posts, row, first,
            [&](const Int8Post& post) {
              kernels.post(tile, rows, vectors, post);
            });
  kernels.borders(tile, rows, first, vectors, program.border_begins.data(),
                  program.border_counts.data(), program.columns.data(),
                  int32_t(layout_.images[of.output].zero * 0x01010101u));
}

// Computes a tile without its posts.
void Executor::make(const Operation& of, const Program& program, int rows,
                    int vectors, Sums* tile) const {
  if (of.kind == Operation::kAcross) {
    kernels_.across[of.across](*tile, rows, vectors, of.number);
    return;
  }
  const SumsFunction sums = program.sums[rows][vectors];
  for (int block = 0; block < program.blocks; ++block) {
    tile->begins = program.begins.data() +
                   block * (program.outputs / program.group + 1);
    tile->continues = block > 0;
    tile->clamps = program.clamps && block + 1 == program.blocks;
    sums(*tile);
  }
}

Row Executor::row_of(const Image& image) const {
  Row row{};
  row.channel = image.channel;
  row.width = image.size.width;
  row.channels = image.channels;
  row.strip = image.strip;
  row.left = image.left;
  row.right = image.right;
  return row;
}

// A row of an int8 image, to pack or unpack.
Int8Row Executor::int8_row_of(int value, bool packs) const {
  const Image& image = layout_.images[value];
  const Quantization& of = network_.values[value].quantization;
  Int8Row row{};
  row.plane = image.channel;
  row.type = kPixelsFloat32;
  row.scale = {packs ? 1 / of.scale : of.scale,
               range_of(kLeastInt8, kMostInt8, of.zero_point,
                        kernels_.int8->offset)};
  row.width = image.size.width;
  row.channels = image.channels;
  row.strip = image.strip;
  row.left = image.left;
  row.right = image.right;
  return row;
}

// Packs rows of an input, or unpacks rows of an output.
void Executor::convert(const Step& step, int turn, const Ends& ends) const {
  const Operation& of = network_.operations[step.operation];
  const bool packs = of.kind == Operation::kInput;
  const int value = packs ? of.output : of.input;
  if (network_.values[value].is_int8) {
    convert_int8(step, turn, ends);
    return;
  }
  const Image& image = layout_.images[value];
  Row row = row_of(image);
  for (int y = 0; y < step.rows; ++y) {
    const size_t place =
        size_t(step.begin.at(turn) + y) * row.width * row.channels;
    if (packs) {
      row.strips = at(step.output.at(turn)) + y * image.row;
      // Only read.
      row.pixels =
          static_cast<float*>(const_cast<void*>(ends.inputs[of.tensor])) +
          place;
      kernels_.pack(row);
    } else {
      row.strips = at(step.input.at(turn)) + y * image.row;
      row.pixels = static_cast<float*>(ends.outputs[of.tensor]) + place;
      kernels_.unpack(row);
    }
  }
}

void Executor::convert_int8(const Step& step, int turn,
                            const Ends& ends) const {
  const Operation& of = network_.operations[step.operation];
  const bool packs = of.kind == Operation::kInput;
  const int value = packs ? of.output : of.input;
  const Image& image = layout_.images[value];
  Int8Row row = int8_row_of(value, packs);
  row.type = of.pixels;
  for (int y = 0; y < step.rows; ++y) {
    const size_t place =
        size_t(step.begin.at(turn) + y) * row.width * row.channels *
        bytes_of(of.pixels);
    if (packs) {
      row.strips = at(step.output.at(turn)) + y * image.row;
      // Only read.
      row.pixels =
          static_cast<char*>(const_cast<void*>(ends.inputs[of.tensor])) + place;
      kernels_.int8->pack(row);
    } else {
      row.strips = at(step.input.at(turn)) + y * image.row;
      row.pixels = static_cast<char*>(ends.outputs[of.tensor]) + place;
      kernels_.int8->unpack(row);
    }
  }
}

// Copies pixels from arbitrary places of an image.
void Executor::arrange(const Step& step, int turn) const {
  const Operation& of = network_.operations[step.operation];
  const WindowProgram& program = windows_[step.operation];
  const Image& in = layout_.images[of.input];
  const Image& out = layout_.images[of.output];
  Arranged row{};
  row.input = at(step.input.at(turn));
  row.input_channel = in.channel;
  row.output_channel = out.channel;
  row.channels = in.channels;
  row.vectors = program.vectors;
  const size_t offsets = size_t(row.vectors) * size_t(layout_.format.lanes);
  for (int y = 0; y < step.rows; ++y) {
    row.output = at(step.output.at(turn)) + y * out.row -
                 out.left * layout_.format.vector();
    row.offsets =
        program.offsets.data() + size_t(step.begin.at(turn) + y) * offsets;
    kernels_.arrange(row);
  }
}

void Executor::attend(const Step& step, int turn, int thread) {
  const Operation& of = network_.operations[step.operation];
  const Attention& attention = of.attention;
  const WindowProgram& program = windows_[step.operation];
  const Image& queries = layout_.images[of.input];
  const Image& keys = layout_.images[attention.keys];
  const Image& values = layout_.images[attention.values];
  const Image& out = layout_.images[of.output];
  Attended head{};
  head.query_channel = queries.channel;
  head.key_channel = keys.channel;
  head.value_channel = values.channel;
  head.output_channel = out.channel;
  head.channels = attention.channels;
  head.value_channels = attention.value_channels;
  head.vectors = program.vectors;
  head.pixels = attention.pixels;
  head.places = program.places.data();
  head.factor = attention.factor * 1.44269504f;
  head.scratch =
      scratch_[size_t(thread) * scratch_lines_].bytes;
  const size_t table = size_t(attention.pixels) * size_t(program.vectors) *
                       size_t(layout_.format.lanes);
  const size_t heads = attention.heads.size();
  for (int y = 0; y < step.rows; ++y) {
    const size_t kind =
        size_t(attention.kinds[size_t(step.begin.at(turn) + y)]);
    for (size_t i = 0; i < heads; ++i) {
      const Attention::Head& from = attention.heads[i];
      head.queries = at(step.input.at(turn)) + y * queries.row +
                     from.query * queries.channel;
      head.keys = at(step.others[0].at(turn)) + y * keys.row +
                  from.key * keys.channel;
      head.values = at(step.others[1].at(turn)) + y * values.row +
                    from.value * values.channel;
      head.output = at(step.output.at(turn)) + y * out.row +
                    i * size_t(attention.value_channels) * out.channel;
      head.added = program.added.empty()
                       ? nullptr
                       : program.added.data() + (kind * heads + i) * table;
      kernels_.attend(head);
    }
  }
}

// Adds up rows. Each thread has some of the channels.
void Executor::mean(const Step& step, int turn, const Share& share) {
  const Operation& of = network_.operations[step.operation];
  const Image& image = layout_.images[of.input];
  const auto [begin, end] = share.of(image.channels);
  Row row = row_of(image);
  row.channels = end - begin;
  double* sums = sums_.data() + begin;
  const int64_t first = step.begin.at(turn);
  if (first == 0) std::fill_n(sums, row.channels, 0.);
  for (int y = 0; y < step.rows; ++y) {
    row.strips =
        at(step.input.at(turn)) + y * image.row + begin * image.channel;
    kernels_.add_row(row, sums);
  }
  if (first + step.rows < image.size.height) return;
  const double pixels = double(image.size.height) * image.size.width;
  float* means = means_.data() + begin;
  for (int c = 0; c < row.channels; ++c) means[c] = float(sums[c] / pixels);
  const Image& out = layout_.images[of.output];
  Row made = row_of(out);
  made.strips = at(step.output.at(turn)) + begin * out.channel;
  made.pixels = means;
  made.channels = row.channels;
  kernels_.pack(made);
}

// The means of an int8 image. One thread computes them all, because they are
// few.
void Executor::mean_int8(const Step& step, int turn, const Share& share) {
  if (share.thread > 0) return;
  const Operation& of = network_.operations[step.operation];
  const Image& image = layout_.images[of.input];
  Int8Row row = int8_row_of(of.input, false);
  const int64_t first = step.begin.at(turn);
  if (first == 0) std::fill_n(int8_sums_.data(), row.channels, 0);
  for (int y = 0; y < step.rows; ++y) {
    row.strips = at(step.input.at(turn)) + y * image.row;
    kernels_.int8->add_row(row, int8_sums_.data());
  }
  if (first + step.rows < image.size.height) return;
  const Quantization& in = network_.values[of.input].quantization;
  const Quantization& made = network_.values[of.output].quantization;
  const int64_t pixels = int64_t(image.size.height) * image.size.width;
  const int64_t zeros = pixels * (in.zero_point + kernels_.int8->offset);
  const float scale = in.scale / made.scale / float(pixels);
  const float zero = float(made.zero_point);
  for (int c = 0; c < row.channels; ++c) {
    // XNNPACK adds the zero point before it rounds.
    const float sum = float(int8_sums_[c] - zeros);
    means_[c] = std::nearbyint(sum * scale + zero) - zero;
  }
  Int8Row pixel = int8_row_of(of.output, true);
  pixel.scale.factor = 1;
  pixel.pixels = means_.data();
  pixel.strips = at(step.output.at(turn));
  kernels_.int8->pack(pixel);
}

}  // namespace issp
