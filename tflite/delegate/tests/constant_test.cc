// Constants of files, in all encodings, and corrupt constants.

#include "constant.h"

#include <climits>
#include <functional>

#include "encoding.h"
#include "fake_runtime.h"
#include "layers.h"
#include "mutation.h"
#include "testing.h"

namespace issp::testing {
namespace {

Shape random_shape(Random* random) {
  Shape shape;
  for (int i = random->between(1, 4); i > 0; --i) {
    shape.push_back(random->of<int>({1, 2, 3, 4, 6, 8, 9}));
  }
  return shape;
}

std::string text_of(const Encoding& encoding) {
  std::ostringstream text;
  text << "type " << encoding.type << ", order";
  for (int i : encoding.order) text << " " << i;
  text << ", formats";
  for (int i : encoding.formats) text << " " << i;
  text << ", blocks of";
  for (int i : encoding.block_map) text << " " << i;
  return text.str();
}

TEST(constants_of_all_encodings_are_read) {
  Random random(1);
  for (int i = 0; i < cases(3000); ++i) {
    const Shape shape = random_shape(&random);
    const Encoding encoding = random_encoding(shape, &random);
    Array array =
        random_array(shape, random.of<double>({0, 0.5, 0.95, 1}), &random);
    Stored stored(encoding, &array);
    tflite::Tensor tensor{};
    stored.fill(&tensor);
    EXPECT(is_constant(tensor)) << text_of(encoding);
    Constant constant;
    const std::string error = read_constant(tensor, &constant);
    EXPECT(error.empty()) << error << ": " << text_of(encoding);
    EXPECT(constant.shape == shape);
    const std::vector<float> dense = constant.dense();
    bool is_equal = dense.size() == array.values.size();
    for (size_t k = 0; is_equal && k < dense.size(); ++k) {
      // The expected value is rounded to float here.
      is_equal = dense[k] == float(array.values[k]);
    }
    EXPECT(is_equal) << text_of(encoding);
  }
}

TEST(all_numbers_of_float16_are_read) {
  for (int half = 0; half < 1 << 16; ++half) {
    if (((half >> 10) & 31) == 31) continue;  // Infinity or NaN.
    Array array{{1}, {from_half(uint16_t(half))}};
    Encoding encoding;
    encoding.type = tflite::kFloat16;
    Stored stored(encoding, &array);
    tflite::Tensor tensor{};
    stored.fill(&tensor);
    Constant constant;
    EXPECT(read_constant(tensor, &constant).empty());
    EXPECT(constant.dense()[0] == from_half(uint16_t(half))) << half;
  }
}

TEST(tensors_that_are_no_constants_are_none) {
  Array array{{2, 2}, {1, 0, 2, 0}};
  Encoding encoding;
  encoding.type = tflite::kInt8;
  encoding.scales = {0.1f, 0.2f};
  const auto is_one = [&](const std::function<void(tflite::Tensor*)>& change) {
    Stored stored(encoding, &array);
    tflite::Tensor tensor{};
    stored.fill(&tensor);
    change(&tensor);
    return is_constant(tensor);
  };
  EXPECT(is_one([](tflite::Tensor*) {}));
  EXPECT(!is_one([](tflite::Tensor* of) { of->allocation_type = 2; }));
  EXPECT(!is_one([](tflite::Tensor* of) { of->data = nullptr; }));
  EXPECT(!is_one([](tflite::Tensor* of) { of->shape = nullptr; }));
  EXPECT(!is_one([](tflite::Tensor* of) { of->type = tflite::kInt32; }));
  EXPECT(!is_one([](tflite::Tensor* of) { of->quantization.type = 0; }));
  EXPECT(!is_one([](tflite::Tensor* of) {
    static_cast<tflite::AffineQuantization*>(of->quantization.parameters)
        ->zero_point->data[1] = 3;
  }));
  EXPECT(!is_one([](tflite::Tensor* of) { of->shape->data[0] = 3; }));
}

// The error for a 4x6 constant with three non-zeros and one mistake.
std::string error_with(
    const std::function<void(tflite::Tensor*)>& change) {
  Array array{{4, 6}, std::vector<double>(24)};
  array.values[1] = array.values[5] = array.values[20] = 1;
  Stored stored(converter_encoding({4, 6}, tflite::kFloat32), &array);
  tflite::Tensor tensor{};
  stored.fill(&tensor);
  change(&tensor);
  Constant constant;
  return read_constant(tensor, &constant);
}

TEST(corrupt_constants_are_refused) {
  using tflite::Tensor;
  const auto level = [](Tensor* of, int i) -> tflite::DimensionMetadata& {
    return of->sparsity->dimensions[i];
  };
  EXPECT(error_with([](Tensor*) {}).empty());
  const std::vector<std::function<void(Tensor*)>> changes{
      [&](Tensor* of) { level(of, 1).indices->data[0] = 6; },
      [&](Tensor* of) { level(of, 1).indices->data[0] = -1; },
      [&](Tensor* of) { level(of, 1).indices->data[0] = INT_MAX; },
      [&](Tensor* of) { level(of, 1).indices->data[1] = 1; },
      [&](Tensor* of) { level(of, 1).indices->data[1] = 0; },
      [&](Tensor* of) { level(of, 1).segments->data[0] = 1; },
      [&](Tensor* of) { level(of, 1).segments->data[0] = -1; },
      [&](Tensor* of) { level(of, 1).segments->data[2] = 0; },
      [&](Tensor* of) { level(of, 1).segments->data[4] = 4; },
      [&](Tensor* of) { level(of, 1).segments->data[4] = INT_MAX; },
      [&](Tensor* of) { level(of, 1).segments->size = 4; },
      [&](Tensor* of) { level(of, 1).indices->size = 2; },
      [&](Tensor* of) { level(of, 1).segments = nullptr; },
      [&](Tensor* of) { level(of, 1).indices = nullptr; },
      [&](Tensor* of) { level(of, 1).format = 2; },
      [&](Tensor* of) { level(of, 0).dense_size = 5; },
      [&](Tensor* of) { level(of, 0).dense_size = INT_MAX; },
      [&](Tensor* of) { level(of, 0).format = tflite::kSparseCsr; },
      [](Tensor* of) { of->bytes = 11; },
      [](Tensor* of) { of->shape->data[0] = INT_MAX; },
      [](Tensor* of) { of->shape->data[1] = -6; },
      [](Tensor* of) { of->shape->data[0] = 0; },
      [](Tensor* of) { of->sparsity->dimension_count = 1; },
      [](Tensor* of) { of->sparsity->dimension_count = -1; },
      [](Tensor* of) { of->sparsity->dimensions = nullptr; },
      [](Tensor* of) { of->sparsity->traversal_order = nullptr; },
      [](Tensor* of) { of->sparsity->traversal_order->data[0] = 1; },
      [](Tensor* of) { of->sparsity->traversal_order->data[0] = 2; },
      [](Tensor* of) { of->sparsity->traversal_order->data[0] = -1; },
      [](Tensor* of) { of->sparsity->traversal_order->size = 1; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT(!error_with(changes[i]).empty()) << "change " << i;
  }
}

TEST(sizes_that_overflow_are_refused) {
  for (const Shape& shape :
       {Shape{0, 1 << 30, 1 << 30, 1 << 30}, Shape{1 << 30, 1 << 30, 4, 1},
        Shape{INT_MAX, INT_MAX, INT_MAX, INT_MAX}, Shape{1, INT_MIN, 1, 1}}) {
    for (int type : {tflite::kFloat32, tflite::kInt8}) {
      Array array{{1, 1, 1, 1}, {1}};
      Encoding encoding = converter_encoding(array.shape, type);
      encoding.scale_dimension = 0;
      Stored stored(encoding, &array);
      tflite::Tensor tensor{};
      stored.fill(&tensor);
      const Integers hostile = new_integers(shape);
      tensor.shape = hostile.get();
      Constant constant;
      EXPECT(!read_constant(tensor, &constant).empty()) << shape[0];
    }
  }
}

TEST(a_network_with_a_corrupt_constant_is_refused) {
  Random random(2);
  Model model;
  const int image = model.input({1, 5, 6, 4});
  Convolution of;
  of.is_sparse = true;
  model.output(convolve(&model, image, of, &random));
  const auto delegate = new_delegate({{"always", "1"}});
  Interpreter interpreter(model);
  for (int i = 0; i < int(model.tensors.size()); ++i) {
    tflite::Sparsity* sparsity = interpreter.tensor(i).sparsity;
    if (sparsity) sparsity->dimensions[3].indices->data[0] = 4;
  }
  EXPECT(!interpreter.apply(delegate.get()));
  EXPECT(interpreter.errors().find("indices beyond") != std::string::npos)
      << interpreter.errors();
}

TEST(mutated_constants_are_refused_or_sound) {
  Random random(3);
  const int count = cases(100000);
  int accepted = 0;
  for (int i = 0; i < count; ++i) {
    const Read read = read_mutated(&random, 3);
    EXPECT(read.error.empty()) << "case " << i << ": " << read.error;
    accepted += read.is_accepted;
  }
  // The unchanged constants are accepted, and some of the others.
  EXPECT(accepted > count / 8 && accepted < count * 3 / 4)
      << accepted << " of " << count << " are accepted";
}

// A sparse constant with `rank` dimensions of size 1.
struct Deep {
  explicit Deep(int rank)
      : shape(new_integers(std::vector<int>(size_t(rank), 1))),
        levels(size_t(rank), {tflite::kDense, 1, nullptr, nullptr}) {
    std::vector<int> dimensions(size_t(rank), 0);
    for (int i = 0; i < rank; ++i) dimensions[size_t(i)] = i;
    order = new_integers(dimensions);
    sparsity = {order.get(), nullptr, levels.data(), rank};
    tensor.type = tflite::kFloat32;
    tensor.allocation_type = tflite::kReadOnly;
    tensor.data = &value;
    tensor.bytes = sizeof(value);
    tensor.shape = shape.get();
    tensor.sparsity = &sparsity;
  }

  Integers shape, order;
  std::vector<tflite::DimensionMetadata> levels;
  tflite::Sparsity sparsity{};
  tflite::Tensor tensor{};
  float value = 3;
};

TEST(constants_of_many_dimensions_are_refused) {
  for (int rank : {1, 8, 9, 200000}) {
    const Deep deep(rank);
    Constant constant;
    const std::string error = read_constant(deep.tensor, &constant);
    EXPECT(error.empty() == (rank <= 8)) << rank << " " << error;
  }
}

}  // namespace
}  // namespace issp::testing
