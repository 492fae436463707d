#include "encoding.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <numeric>
#include <set>

namespace issp::testing {
namespace {

size_t channel_of(const Encoding& encoding, const Shape& shape, size_t place) {
  if (encoding.scales.size() == 1) return 0;
  for (int i = int(shape.size()) - 1; i > encoding.scale_dimension; --i) {
    place /= size_t(shape[i]);
  }
  return place % encoding.scales.size();
}

int quantized(double value, float scale) {
  return int(std::clamp(std::round(value / scale), -127., 127.));
}

// Memory that `std::free` returns. Without exceptions, a program that has no
// memory ends.
void* allocated(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory || !bytes) return memory;
#ifdef __cpp_exceptions
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

}  // namespace

Memory new_memory(size_t bytes) {
  return Memory(static_cast<char*>(allocated(bytes)));
}

Integers new_integers(const std::vector<int>& numbers) {
  auto* array = static_cast<tflite::IntArray*>(
      allocated(sizeof(int) * (1 + numbers.size())));
  array->size = int(numbers.size());
  std::copy(numbers.begin(), numbers.end(), array->data);
  return Integers(array);
}

// Rounds to the nearest float16.
uint16_t to_half(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(double(value));
  if (magnitude >= 65520) return sign | 0x7c00;
  int exponent = magnitude > 0 ? std::ilogb(magnitude) : -14;
  exponent = std::max(exponent, -14);
  // A carry into the exponent is correct.
  const int steps = int(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return uint16_t(sign | (steps + ((exponent + 14) << 10)));
}

float from_half(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 0x3ff;
  const double value =
      exponent ? std::ldexp(1024 + fraction, exponent - 25)
               : std::ldexp(fraction, -24);
  return float(half & 0x8000 ? -value : value);
}

Stored::Stored(const Encoding& encoding, Array* array)
    : type_(encoding.type),
      shape_(new_integers(array->shape)),
      is_sparse_(encoding.is_sparse()) {
  round(encoding, array);
  pack(encoding, *array);
  if (encoding.type == tflite::kInt8) {
    const std::vector<float>& scales = encoding.scales;
    scales_.reset(static_cast<tflite::FloatArray*>(
        std::malloc(sizeof(int) + sizeof(float) * scales.size())));
    scales_->size = int(scales.size());
    std::copy(scales.begin(), scales.end(), scales_->data);
    zero_points_ = new_integers(std::vector<int>(scales.size()));
    affine_ = {scales_.get(), zero_points_.get(), encoding.scale_dimension};
  }
  order_ = new_integers(encoding.order);
  blocks_ = new_integers(encoding.block_map);
  const size_t levels = encoding.order.size();
  for (size_t i = 0; i < levels; ++i) {
    const int dimension = encoding.order[i];
    const int rank = int(array->shape.size());
    int size = dimension < rank ? array->shape[dimension]
                                : encoding.block_sizes[dimension - rank];
    for (size_t b = 0; b < encoding.block_map.size(); ++b) {
      if (encoding.block_map[b] == dimension) size /= encoding.block_sizes[b];
    }
    levels_.push_back({encoding.formats[i], size, nullptr, nullptr});
  }
}

void Stored::round(const Encoding& encoding, Array* array) {
  for (size_t i = 0; i < array->values.size(); ++i) {
    double& value = array->values[i];
    if (encoding.type == tflite::kFloat16) {
      value = from_half(to_half(float(value)));
    } else if (encoding.type == tflite::kInt8) {
      const float scale =
          encoding.scales[channel_of(encoding, array->shape, i)];
      value = quantized(value, scale) * scale;
    } else {
      value = float(value);
    }
  }
}

void Stored::store(const Encoding& encoding, const Shape& shape, size_t place,
                   double value) {
  const float number = float(value);
  const uint16_t half = to_half(number);
  int8_t byte = 0;
  const void* from = &number;
  size_t bytes = sizeof(number);
  if (encoding.type == tflite::kFloat16) {
    from = &half;
    bytes = sizeof(half);
  } else if (encoding.type == tflite::kInt8) {
    byte = int8_t(
        quantized(value, encoding.scales[channel_of(encoding, shape, place)]));
    from = &byte;
    bytes = sizeof(byte);
  }
  const char* begin = static_cast<const char*>(from);
  packed_.insert(packed_.end(), begin, begin + bytes);
}

// Goes through the levels. Each extends the paths of the level before.
void Stored::pack(const Encoding& encoding, const Array& array) {
  const int rank = int(array.shape.size());
  const size_t levels = encoding.order.size();
  // The index of a value in each level.
  const auto path_of = [&](size_t place) {
    std::vector<int> at(size_t(rank) + encoding.block_map.size());
    for (int i = rank - 1; i >= 0; --i) {
      at[i] = int(place % size_t(array.shape[i]));
      place /= size_t(array.shape[i]);
    }
    for (size_t b = 0; b < encoding.block_map.size(); ++b) {
      int& whole = at[encoding.block_map[b]];
      at[rank + b] = whole % encoding.block_sizes[b];
      whole /= encoding.block_sizes[b];
    }
    std::vector<int> path;
    for (int dimension : encoding.order) path.push_back(at[dimension]);
    return path;
  };
  if (levels == 0) {
    for (size_t i = 0; i < array.values.size(); ++i) {
      store(encoding, array.shape, i, array.values[i]);
    }
    return;
  }
  std::set<std::vector<int>> kept;  // Prefixes of paths of non-zeros.
  std::vector<std::pair<std::vector<int>, size_t>> all;
  for (size_t i = 0; i < array.values.size(); ++i) {
    const std::vector<int> path = path_of(i);
    all.push_back({path, i});
    if (array.values[i] == 0) continue;
    for (size_t n = 1; n <= levels; ++n) {
      kept.insert({path.begin(), path.begin() + n});
    }
  }
  std::sort(all.begin(), all.end());
  segments_.resize(levels);
  indices_.resize(levels);
  // The stored prefixes of the current level.
  std::vector<std::vector<int>> places{{}};
  for (size_t i = 0; i < levels; ++i) {
    std::set<int> sizes;
    for (const auto& [path, place] : all) sizes.insert(path[i]);
    const int size = int(sizes.size());
    const bool is_sparse = encoding.formats[i] == tflite::kSparseCsr;
    std::vector<std::vector<int>> next;
    if (is_sparse) segments_[i].push_back(0);
    for (const std::vector<int>& begin : places) {
      for (int j = 0; j < size; ++j) {
        std::vector<int> path = begin;
        path.push_back(j);
        if (is_sparse && !kept.count(path)) continue;
        if (is_sparse) indices_[i].push_back(j);
        next.push_back(std::move(path));
      }
      if (is_sparse) segments_[i].push_back(int(next.size()));
    }
    places = std::move(next);
  }
  for (const std::vector<int>& path : places) {
    const auto found = std::lower_bound(
        all.begin(), all.end(), path,
        [](const auto& of, const std::vector<int>& value) {
          return of.first < value;
        });
    store(encoding, array.shape, found->second, array.values[found->second]);
  }
}

void Stored::fill(tflite::Tensor* tensor) {
  bytes_ = packed_.size();
  data_ = new_memory(bytes_);
  if (bytes_) std::memcpy(data_.get(), packed_.data(), bytes_);
  tensor->type = type_;
  tensor->data = data_.get();
  tensor->bytes = bytes_;
  tensor->shape = shape_.get();
  tensor->allocation_type = tflite::kReadOnly;
  if (type_ == tflite::kInt8) {
    tensor->quantization.type = tflite::kAffine;
    tensor->quantization.parameters = &affine_;
  }
  if (!is_sparse_) return;
  arrays_.clear();
  for (size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].format != tflite::kSparseCsr) continue;
    arrays_.push_back(new_integers(segments_[i]));
    levels_[i].segments = arrays_.back().get();
    arrays_.push_back(new_integers(indices_[i]));
    levels_[i].indices = arrays_.back().get();
  }
  sparsity_ = {order_.get(), blocks_.get(), levels_.data(),
               int(levels_.size())};
  tensor->sparsity = &sparsity_;
}

Array random_array(const Shape& shape, double sparsity, Random* random) {
  Array array{shape, std::vector<double>(size_t(size_of(shape)))};
  for (double& value : array.values) {
    // Rounded to float32, like inputs.
    if (!random->chance(sparsity)) value = float(random->number());
  }
  return array;
}

Encoding random_encoding(const Shape& shape, Random* random) {
  Encoding encoding;
  encoding.type = random->of<int>(
      {tflite::kFloat32, tflite::kFloat16, tflite::kInt8});
  const int rank = int(shape.size());
  if (encoding.type == tflite::kInt8) {
    encoding.scale_dimension = random->below(rank);
    const int count =
        random->below(2) ? 1 : shape[encoding.scale_dimension];
    for (int i = 0; i < count; ++i) {
      encoding.scales.push_back(float(0.001 + 0.02 * random->uniform()));
    }
  }
  if (random->below(4) == 0) return encoding;
  for (int i = 0; i < rank; ++i) {
    for (int size : {2, 3, 4}) {
      if (shape[i] % size || random->below(6)) continue;
      encoding.block_map.push_back(i);
      encoding.block_sizes.push_back(size);
      break;
    }
  }
  encoding.order.resize(size_t(rank) + encoding.block_map.size());
  std::iota(encoding.order.begin(), encoding.order.end(), 0);
  for (size_t i = encoding.order.size(); i-- > 1;) {
    std::swap(encoding.order[i],
              encoding.order[size_t(random->below(int(i) + 1))]);
  }
  for (int dimension : encoding.order) {
    const bool is_sparse = dimension < rank && random->below(2);
    encoding.formats.push_back(is_sparse ? tflite::kSparseCsr
                                         : tflite::kDense);
  }
  return encoding;
}

Encoding converter_encoding(const Shape& shape, int type) {
  Encoding encoding;
  encoding.type = type;
  if (type == tflite::kInt8) encoding.scales = {0.01f};
  encoding.order.resize(shape.size());
  std::iota(encoding.order.begin(), encoding.order.end(), 0);
  encoding.formats.assign(shape.size(), tflite::kDense);
  encoding.formats.back() = tflite::kSparseCsr;
  return encoding;
}

}  // namespace issp::testing
