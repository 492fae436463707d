#include "mutation.h"

#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "constant.h"
#include "encoding.h"

namespace issp::testing {
namespace {

constexpr int kBases = 64;

// The parts of a tensor, which can be changed.
struct Pieces {
  struct Level {
    int format;
    int size;
    bool has_segments = false;
    bool has_indices = false;
    std::vector<int> segments;
    std::vector<int> indices;
  };
  int type;
  std::vector<int> shape;
  std::vector<char> data;
  bool is_sparse = false;
  bool has_order = true;
  std::vector<int> order;
  bool has_blocks = true;
  std::vector<int> blocks;
  std::vector<Level> levels;
  bool is_affine = false;
  bool has_scales = true;
  std::vector<float> scales;
  std::vector<int> zero_points;
  int scale_dimension = 0;
};

Pieces pieces_of(const tflite::Tensor& tensor) {
  Pieces of;
  of.type = tensor.type;
  of.shape = to_vector(tensor.shape);
  const char* data = static_cast<const char*>(tensor.data);
  of.data.assign(data, data + tensor.bytes);
  if (tensor.quantization.parameters) {
    const auto& affine = *static_cast<const tflite::AffineQuantization*>(
        tensor.quantization.parameters);
    of.is_affine = true;
    of.scales.assign(affine.scale->data,
                     affine.scale->data + affine.scale->size);
    of.zero_points = to_vector(affine.zero_point);
    of.scale_dimension = affine.dimension;
  }
  if (!tensor.sparsity) return of;
  of.is_sparse = true;
  of.order = to_vector(tensor.sparsity->traversal_order);
  of.blocks = to_vector(tensor.sparsity->block_map);
  for (int i = 0; i < tensor.sparsity->dimension_count; ++i) {
    const tflite::DimensionMetadata& level = tensor.sparsity->dimensions[i];
    Pieces::Level copy{level.format, level.dense_size};
    if (level.format == tflite::kSparseCsr) {
      copy.has_segments = copy.has_indices = true;
      copy.segments = to_vector(level.segments);
      copy.indices = to_vector(level.indices);
    }
    of.levels.push_back(std::move(copy));
  }
  return of;
}

const std::vector<Pieces>& bases() {
  static const std::vector<Pieces> all = [] {
    std::vector<Pieces> made;
    Random random(77);
    while (made.size() < kBases) {
      Shape shape;
      for (int i = random.between(1, 4); i > 0; --i) {
        shape.push_back(random.between(1, 6));
      }
      Array array = random_array(shape, 0.6, &random);
      Stored stored(random_encoding(shape, &random), &array);
      tflite::Tensor tensor{};
      stored.fill(&tensor);
      made.push_back(pieces_of(tensor));
    }
    return made;
  }();
  return all;
}

// A dangerous number, often near another one.
int hostile(int number, Random* random) {
  switch (random->below(10)) {
    case 0:
      return INT_MAX;
    case 1:
      return INT_MIN;
    case 2:
      return -1;
    case 3:
      return 0;
    case 4:
      return 1 << random->between(8, 30);
    case 5:
      return INT_MAX - random->below(8);
    case 6:
      return random->between(-8, 300);
    case 7:
      return number < INT_MAX ? number + 1 : number;
    case 8:
      return number > INT_MIN ? number - 1 : number;
  }
  return int(uint32_t(random->bits()));
}

void change(std::vector<int>* numbers, Random* random) {
  if (numbers->empty() || random->below(4) == 0) {
    const int size = random->between(0, int(numbers->size()) + 2);
    numbers->resize(size_t(size), hostile(0, random));
    return;
  }
  int& number = (*numbers)[size_t(random->below(int(numbers->size())))];
  number = hostile(number, random);
}

void change_level(std::vector<Pieces::Level>* levels, Random* random) {
  if (levels->empty() || random->below(12) == 0) {
    levels->resize(size_t(random->between(0, int(levels->size()) + 1)),
                   {tflite::kDense, 1});
    return;
  }
  Pieces::Level& level =
      (*levels)[size_t(random->below(int(levels->size())))];
  switch (random->below(8)) {
    case 0:
      level.format = random->between(-1, 2);
      return;
    case 1:
      level.size = hostile(level.size, random);
      return;
    case 2:
      level.has_segments = !level.has_segments;
      return;
    case 3:
      level.has_indices = !level.has_indices;
      return;
    case 4:
    case 5:
      change(&level.segments, random);
      return;
  }
  change(&level.indices, random);
}

void change(Pieces* of, Random* random) {
  switch (random->below(of->is_sparse ? 16 : 8)) {
    case 0:
    case 1:
      change(&of->shape, random);
      return;
    case 2:
      of->data.resize(size_t(random->between(0, int(of->data.size()) + 4)));
      return;
    case 3:
      of->type = random->of<int>({tflite::kFloat32, tflite::kFloat16,
                                  tflite::kInt8, tflite::kInt32, -1});
      return;
    case 4:
      of->scale_dimension = hostile(of->scale_dimension, random);
      return;
    case 5:
      of->scales.resize(size_t(random->between(0, 7)), 0.5f);
      return;
    case 6:
      change(&of->zero_points, random);
      return;
    case 7:
      if (random->below(2)) {
        of->is_affine = !of->is_affine;
      } else {
        of->has_scales = !of->has_scales;
      }
      return;
    case 8:
      change(&of->order, random);
      return;
    case 9:
      change(&of->blocks, random);
      return;
    case 10:
      if (random->below(2)) {
        of->has_order = !of->has_order;
      } else {
        of->has_blocks = !of->has_blocks;
      }
      return;
  }
  change_level(&of->levels, random);
}

// An error in a constant that was read, or an empty string.
std::string error_of(const Constant& constant) {
  if (constant.places.size() != constant.values.size()) {
    return "there are not as many places as values";
  }
  for (size_t i = 0; i < constant.places.size(); ++i) {
    const int64_t before = i ? constant.places[i - 1] : -1;
    if (constant.places[i] <= before) return "its places do not increase";
    if (constant.places[i] >= constant.size()) return "its places are beyond";
    if (constant.values[i] == 0) return "it has a zero";
  }
  return "";
}

// Reads a tensor whose parts have separate memory.
Read read(const Pieces& of) {
  tflite::Tensor tensor{};
  tensor.type = of.type;
  tensor.allocation_type = tflite::kReadOnly;
  const Integers shape = new_integers(of.shape);
  tensor.shape = shape.get();
  const Memory data = new_memory(of.data.size());
  if (!of.data.empty()) {
    std::memcpy(data.get(), of.data.data(), of.data.size());
  }
  tensor.data = data.get();
  tensor.bytes = of.data.size();
  const Floats scales(static_cast<tflite::FloatArray*>(
      std::malloc(sizeof(int) + sizeof(float) * of.scales.size())));
  scales->size = int(of.scales.size());
  std::copy(of.scales.begin(), of.scales.end(), scales->data);
  const Integers zero_points = new_integers(of.zero_points);
  tflite::AffineQuantization affine{of.has_scales ? scales.get() : nullptr,
                                    zero_points.get(), of.scale_dimension};
  if (of.is_affine) {
    tensor.quantization.type = tflite::kAffine;
    tensor.quantization.parameters = &affine;
  }
  const Integers order = new_integers(of.order);
  const Integers blocks = new_integers(of.blocks);
  std::vector<Integers> arrays;
  const auto levels =
      std::make_unique<tflite::DimensionMetadata[]>(of.levels.size());
  for (size_t i = 0; i < of.levels.size(); ++i) {
    const Pieces::Level& level = of.levels[i];
    levels[i] = {level.format, level.size, nullptr, nullptr};
    if (level.has_segments) {
      arrays.push_back(new_integers(level.segments));
      levels[i].segments = arrays.back().get();
    }
    if (level.has_indices) {
      arrays.push_back(new_integers(level.indices));
      levels[i].indices = arrays.back().get();
    }
  }
  tflite::Sparsity sparsity{of.has_order ? order.get() : nullptr,
                            of.has_blocks ? blocks.get() : nullptr,
                            levels.get(), int(of.levels.size())};
  if (of.is_sparse) tensor.sparsity = &sparsity;
  if (!is_constant(tensor)) return {};
  Constant constant;
  if (!read_constant(tensor, &constant).empty()) return {};
  return {true, error_of(constant)};
}

}  // namespace

Read read_mutated(Random* random, int most) {
  Pieces of = random->of(bases());
  for (int i = random->between(0, most); i > 0; --i) change(&of, random);
  return read(of);
}

}  // namespace issp::testing
