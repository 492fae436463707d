#include "constant.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "sort.h"

namespace issp {
namespace {

using tflite::Tensor;

// No constant has this many values. Products below it do not overflow.
constexpr int64_t kLargest = int64_t{1} << 31;
// The most dimensions, and the most block dimensions.
constexpr int kMostRank = 8;

// One level of a sparse tensor: a dimension, or the blocks of one.
struct Level {
  int dimension;
  int64_t size;
  int64_t stride;  // Of its index, in dense values.
  const tflite::IntArray* segments = nullptr;  // None if it is dense.
  const tflite::IntArray* indices = nullptr;
};

int bytes_of(int type) {
  switch (type) {
    case tflite::kFloat32:
      return 4;
    case tflite::kFloat16:
      return 2;
    case tflite::kInt8:
      return 1;
  }
  return 0;
}

float from_half(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  uint32_t fraction = half & 0x3ff;
  if (exponent == 0) {
    const float value = float(fraction) / (1 << 24);
    return sign ? -value : value;
  }
  fraction <<= 13;
  const uint32_t biased = exponent == 31 ? 255 : exponent + 112;
  const uint32_t bits = sign | biased << 23 | fraction;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

const tflite::AffineQuantization& affine_of(const Tensor& tensor) {
  return *static_cast<const tflite::AffineQuantization*>(
      tensor.quantization.parameters);
}

// Whether an int8 tensor has scales, and zero points of 0. A dense tensor with
// a single scale may have another zero point.
bool has_scales(const Tensor& tensor) {
  if (tensor.quantization.type != tflite::kAffine ||
      !tensor.quantization.parameters) {
    return false;
  }
  const tflite::AffineQuantization& affine = affine_of(tensor);
  if (!affine.scale || affine.scale->size < 1) return false;
  const bool may_have_zero = affine.scale->size == 1 && !tensor.sparsity;
  for (int i = 0; affine.zero_point && i < affine.zero_point->size; ++i) {
    if (affine.zero_point->data[i] && !may_have_zero) return false;
  }
  const tflite::IntArray& shape = *tensor.shape;
  return affine.scale->size == 1 ||
         (affine.dimension >= 0 && affine.dimension < shape.size &&
          affine.scale->size == shape.data[affine.dimension]);
}

// Reads the stored values one by one.
class Values {
 public:
  Values(const Tensor& tensor, Numbers numbers)
      : tensor_(tensor), numbers_(numbers) {
    if (tensor.type != tflite::kInt8) return;
    const tflite::AffineQuantization& affine = affine_of(tensor);
    scale_ = affine.scale;
    if (scale_->size == 1) {
      if (affine.zero_point && affine.zero_point->size > 0) {
        zero_point_ = affine.zero_point->data[0];
      }
      return;
    }
    for (int i = affine.dimension + 1; i < tensor.shape->size; ++i) {
      inner_ *= tensor.shape->data[i];
    }
  }

  // The stored value `number`. `place` is its position in the dense tensor.
  float at(int64_t number, int64_t place) const {
    const char* data = static_cast<const char*>(tensor_.data);
    if (tensor_.type == tflite::kFloat32) {
      float value;
      std::memcpy(&value, data + 4 * number, 4);
      return value;
    }
    if (tensor_.type == tflite::kFloat16) {
      uint16_t half;
      std::memcpy(&half, data + 2 * number, 2);
      return from_half(half);
    }
    const float stored = float(static_cast<int8_t>(data[number])) -
                         float(zero_point_);
    if (numbers_ == Numbers::kStored) return stored;
    const int64_t channel =
        scale_->size == 1 ? 0 : place / inner_ % scale_->size;
    return scale_->data[channel] * stored;
  }

 private:
  const Tensor& tensor_;
  const Numbers numbers_;
  const tflite::FloatArray* scale_ = nullptr;
  int zero_point_ = 0;
  int64_t inner_ = 1;
};

// An error in a constant. Without a text, there is none.
struct Fault {
  std::string text;
  // Whether a runtime without this check reads out of bounds.
  bool is_harmful = false;
};

// Sets the sizes of the levels: dimensions in blocks, and the blocks.
Fault measure(const Tensor& tensor, std::vector<Level>* levels) {
  const tflite::Sparsity& sparsity = *tensor.sparsity;
  const tflite::IntArray& shape = *tensor.shape;
  const int rank = shape.size;
  const int blocks = sparsity.block_map ? sparsity.block_map->size : 0;
  const int count = sparsity.dimension_count;
  if (!sparsity.traversal_order || !sparsity.dimensions || blocks < 0 ||
      count != rank + blocks || sparsity.traversal_order->size != count) {
    return {"has not one level for each dimension", true};
  }
  if (blocks > kMostRank) return {"has blocks of more than 8 dimensions"};
  std::vector<int64_t> sizes(shape.data, shape.data + rank);
  std::vector<int64_t> strides(rank, 1);
  for (int i = rank - 1; i > 0; --i) strides[i - 1] = strides[i] * sizes[i];
  std::vector<int> level_of(count, -1);
  for (int i = 0; i < count; ++i) {
    const int dimension = sparsity.traversal_order->data[i];
    if (dimension < 0 || dimension >= count || level_of[dimension] >= 0) {
      return {"has an order of traversal that is no permutation", true};
    }
    level_of[dimension] = i;
  }
  sizes.resize(count);
  strides.resize(count);
  for (int i = 0; i < blocks; ++i) {
    const int dimension = sparsity.block_map->data[i];
    const tflite::DimensionMetadata& level =
        sparsity.dimensions[level_of[rank + i]];
    const int64_t size = level.dense_size;
    if (dimension < 0 || dimension >= rank || level.format != tflite::kDense ||
        size < 1 || sizes[dimension] % size) {
      return {"has blocks that do not divide it", true};
    }
    sizes[rank + i] = size;
    strides[rank + i] = strides[dimension];
    sizes[dimension] /= size;
    strides[dimension] *= size;
  }
  for (int i = 0; i < count; ++i) {
    const int dimension = sparsity.traversal_order->data[i];
    levels->push_back({dimension, sizes[dimension], strides[dimension]});
  }
  return {};
}

// Checks the metadata of a sparse tensor. `count` becomes the number of stored
// values.
Fault check(const Tensor& tensor, std::vector<Level>* levels,
            int64_t* count) {
  int64_t positions = 1;
  bool increases = true;
  for (size_t i = 0; i < levels->size(); ++i) {
    Level& level = (*levels)[i];
    const tflite::DimensionMetadata& of = tensor.sparsity->dimensions[i];
    if (of.format == tflite::kDense) {
      if (of.dense_size != level.size) {
        return {"has a level of another size", true};
      }
      positions *= level.size;
      if (positions > kLargest) return {"has more values than memory", true};
      continue;
    }
    if (of.format != tflite::kSparseCsr || !of.segments || !of.indices) {
      return {"has a level of an unknown format", true};
    }
    if (of.segments->size != positions + 1 || of.segments->data[0] != 0) {
      return {"has segments of another number", true};
    }
    for (int64_t k = 0; k < positions; ++k) {
      const int begin = of.segments->data[k], end = of.segments->data[k + 1];
      if (end < begin) return {"has segments that go backwards", true};
      if (end > of.indices->size) {
        return {"has segments beyond its indices", true};
      }
      for (int j = begin; j < end; ++j) {
        const int index = of.indices->data[j];
        if (index < 0 || index >= level.size) {
          return {"has indices beyond it", true};
        }
        increases =
            increases && (j == begin || index > of.indices->data[j - 1]);
      }
    }
    positions = of.segments->data[positions];
    level.segments = of.segments;
    level.indices = of.indices;
  }
  *count = positions;
  if (!increases) return {"has indices that do not increase"};
  return {};
}

// Checks all metadata of a tensor. `levels` become those of a sparse tensor,
// and `count` the number of stored values.
Fault find_fault(const Tensor& tensor, std::vector<Level>* levels,
                 int64_t* count) {
  if (tensor.shape->size > kMostRank) return {"has more than 8 dimensions"};
  *count = 1;
  for (int i = 0; i < tensor.shape->size; ++i) {
    // A size of 0 would hide an overflow of other sizes.
    if (tensor.shape->data[i] < 1) return {"has a size below 1"};
    *count *= tensor.shape->data[i];
    if (*count > kLargest) return {"has more values than memory"};
  }
  Fault fault;
  if (tensor.sparsity) {
    fault = measure(tensor, levels);
    if (!fault.text.empty()) return fault;
    fault = check(tensor, levels, count);
    if (fault.is_harmful) return fault;
  }
  if (size_t(*count) * bytes_of(tensor.type) > tensor.bytes) {
    return {"has fewer values than its shape or index needs", true};
  }
  return fault;
}

// Calls `visit(number, place)` for each stored value.
template <class Visit>
void traverse(const std::vector<Level>& levels, size_t depth, int64_t position,
              int64_t place, const Visit& visit) {
  if (depth == levels.size()) {
    visit(position, place);
    return;
  }
  const Level& level = levels[depth];
  if (!level.segments) {
    for (int64_t i = 0; i < level.size; ++i) {
      traverse(levels, depth + 1, position * level.size + i,
               place + i * level.stride, visit);
    }
    return;
  }
  const int begin = level.segments->data[position];
  const int end = level.segments->data[position + 1];
  for (int i = begin; i < end; ++i) {
    traverse(levels, depth + 1, i,
             place + level.indices->data[i] * level.stride, visit);
  }
}

void sort(Constant* constant) {
  if (std::is_sorted(constant->places.begin(), constant->places.end())) return;
  std::vector<size_t> order(constant->places.size());
  std::iota(order.begin(), order.end(), 0);
  issp::sort(&order, [&](size_t a, size_t b) {
    return constant->places[a] < constant->places[b];
  });
  Constant sorted{constant->shape, {}, {}};
  for (size_t i : order) {
    sorted.places.push_back(constant->places[i]);
    sorted.values.push_back(constant->values[i]);
  }
  *constant = std::move(sorted);
}

}  // namespace

int64_t Constant::size() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<int64_t>());
}

std::vector<float> Constant::dense() const {
  std::vector<float> all(size());
  for (size_t i = 0; i < places.size(); ++i) all[places[i]] = values[i];
  return all;
}

bool is_constant(const Tensor& tensor) {
  return (tensor.allocation_type == tflite::kReadOnly ||
          tensor.allocation_type == tflite::kPersistentReadOnly) &&
         tensor.data && tensor.shape && bytes_of(tensor.type) > 0 &&
         (tensor.type != tflite::kInt8 || has_scales(tensor));
}

std::string harm_of(const Tensor& tensor) {
  std::vector<Level> levels;
  int64_t count = 0;
  const Fault fault = find_fault(tensor, &levels, &count);
  return fault.is_harmful ? fault.text : "";
}

std::string read_constant(const Tensor& tensor, Constant* constant,
                          Numbers numbers) {
  std::vector<Level> levels;
  int64_t count = 0;
  const Fault fault = find_fault(tensor, &levels, &count);
  if (!fault.text.empty()) return fault.text;
  constant->shape = {tensor.shape->data,
                     tensor.shape->data + tensor.shape->size};
  const Values values(tensor, numbers);
  const auto visit = [&](int64_t number, int64_t place) {
    const float value = values.at(number, place);
    if (value == 0) return;
    constant->places.push_back(place);
    constant->values.push_back(value);
  };
  if (tensor.sparsity) {
    traverse(levels, 0, 0, 0, visit);
    sort(constant);
  } else {
    for (int64_t i = 0; i < count; ++i) visit(i, i);
  }
  return "";
}

}  // namespace issp
