// Sizes that a graph computes from the size of its image.

#include "resolve.h"

#include <cstring>
#include <string>
#include <vector>

#include "graph_copy.h"
#include "testing.h"
#include "tflite_abi.h"

namespace issp::testing {
namespace {

using Numbers = std::vector<int>;

// A graph of integers. Only tensor 0 is an image.
class Sizes {
 public:
  Sizes() {
    tflite::Tensor image{};
    image.type = tflite::kFloat32;
    image.shape = graph_.keep(Numbers{1, 1, 1, 3});
    image.name = "image";
    graph_.add(image);
  }

  int constant(const Numbers& shape, const Numbers& numbers) {
    tflite::Tensor of = tensor(tflite::kInt32, shape);
    of.allocation_type = tflite::kReadOnly;
    of.bytes = numbers.size() * sizeof(int);
    of.data = graph_.keep(numbers.data(), of.bytes);
    return add(of);
  }
  int number(int number) { return constant({}, {number}); }
  int list(const Numbers& numbers) {
    return constant({int(numbers.size())}, numbers);
  }

  int node(int code, const Numbers& inputs, int type = tflite::kInt32) {
    return node(code, inputs, nullptr, 0, type);
  }
  template <class Parameters>
  int node(int code, const Numbers& inputs, const Parameters& parameters) {
    return node(code, inputs, &parameters, sizeof(parameters), tflite::kInt32);
  }

  void node_without_output(int code, const Numbers& inputs) {
    tflite::Node of{};
    of.inputs = graph_.keep(inputs);
    of.outputs = graph_.keep(Numbers{-1});
    graph_.add(of, code);
  }

  // The height of the image.
  int height() {
    const int shape = node(tflite::kShape, {0});
    tflite::StridedSliceParameters of{};
    of.shrink_axis_mask = 1;
    return node(tflite::kStridedSlice, {shape, list({1}), list({2}), list({1})},
                of);
  }

  std::string resolve(int height, int width) {
    graph_.finish({0}, {tensors_ - 1});
    return issp::resolve({1, height, width, 3}, &graph_);
  }

  Numbers shape(int tensor) const {
    return tflite::to_vector(graph_.tensor(tensor).shape);
  }

  // The numbers of a known tensor.
  Numbers numbers(int tensor) const {
    const tflite::Tensor& of = graph_.tensor(tensor);
    Numbers all(of.bytes / sizeof(int));
    EXPECT(is_stored(of));
    if (of.bytes) std::memcpy(all.data(), of.data, of.bytes);
    return all;
  }

  Numbers plan() {
    tflite::IntArray* plan = nullptr;
    graph_.context()->get_execution_plan(graph_.context(), &plan);
    return tflite::to_vector(plan);
  }

 private:
  tflite::Tensor tensor(int type, const Numbers& shape) {
    tflite::Tensor of{};
    of.type = type;
    of.shape = graph_.keep(shape);
    return of;
  }
  int add(const tflite::Tensor& of) {
    graph_.add(of);
    return tensors_++;
  }
  int node(int code, const Numbers& inputs, const void* parameters,
           size_t bytes, int type) {
    const int made = add(tensor(type, {}));
    tflite::Node of{};
    of.inputs = graph_.keep(inputs);
    of.outputs = graph_.keep(Numbers{made});
    if (parameters) of.parameters = graph_.keep(parameters, bytes);
    graph_.add(of, code);
    return made;
  }

  GraphCopy graph_;
  int tensors_ = 1;
};

constexpr tflite::ElementwiseParameters kPlain{};

TEST(sizes_are_computed_and_their_nodes_leave_the_plan) {
  Sizes of;
  const int height = of.height();
  // The next multiple of 8.
  const int less = of.node(tflite::kNeg, {height});
  const int windows = of.node(tflite::kFloorDiv, {less, of.number(8)});
  const int more = of.node(
      tflite::kMul, {of.node(tflite::kNeg, {windows}), of.number(8)}, kPlain);
  const int rows =
      of.node(tflite::kRange, {of.number(0), more, of.number(3)});
  const int shape = of.node(tflite::kPack, {of.number(1), more, height},
                            tflite::PackParameters{3, 0});
  const int left = of.node(tflite::kFloorMod, {less, of.number(8)});
  EXPECT(of.resolve(13, 5).empty());
  EXPECT(of.numbers(more) == Numbers{16});
  EXPECT((of.numbers(rows) == Numbers{0, 3, 6, 9, 12, 15}));
  EXPECT((of.numbers(shape) == Numbers{1, 16, 13}));
  EXPECT(of.numbers(left) == Numbers{3});
  EXPECT(of.shape(0) == (Numbers{1, 13, 5, 3}));
  EXPECT(of.plan().empty());
}

TEST(an_image_is_given_shapes_and_stays_in_the_plan) {
  Sizes of;
  const int height = of.height();
  const int twice = of.node(tflite::kAdd, {height, height}, kPlain);
  const int shape = of.node(tflite::kPack,
                            {of.number(-1), twice, of.number(3)},
                            tflite::PackParameters{3, 0});
  const int list = of.node(tflite::kReshape, {0, shape}, tflite::kFloat32);
  const int turned = of.node(tflite::kTranspose,
                             {list, of.list({1, 0, 2})}, tflite::kFloat32);
  EXPECT(of.resolve(4, 6).empty());
  EXPECT(of.shape(list) == (Numbers{3, 8, 3}));
  EXPECT(of.shape(turned) == (Numbers{8, 3, 3}));
  EXPECT(of.plan().size() == 2);
}

TEST(numbers_are_moved_repeated_and_chosen) {
  Sizes of;
  const int numbers = of.constant({2, 3}, {1, 2, 3, 4, 5, 6});
  const int turned = of.node(tflite::kTranspose, {numbers, of.list({1, 0})});
  const int tiled = of.node(tflite::kTile, {numbers, of.list({1, 2})});
  tflite::StridedSliceParameters with_axis{};
  with_axis.new_axis_mask = 1;
  const int deeper = of.node(
      tflite::kStridedSlice,
      {numbers, of.list({0, 1}), of.list({0, 2}), of.list({1, 1})}, with_axis);
  tflite::StridedSliceParameters odd{};
  odd.end_mask = 2;
  const int sliced = of.node(
      tflite::kStridedSlice,
      {numbers, of.list({-1, 0}), of.list({9, 0}), of.list({1, 2})}, odd);
  const int column = of.node(tflite::kSlice,
                             {numbers, of.list({0, 1}), of.list({-1, 1})});
  const int row = of.node(tflite::kExpandDims, {of.list({7, 8}), of.number(0)});
  const int is_less = of.node(tflite::kLess, {numbers, of.number(4)},
                              tflite::kBool);
  const int chosen =
      of.node(tflite::kSelectV2, {is_less, numbers, of.number(-1)});
  const int filled = of.node(tflite::kFill, {of.list({2, 2}), of.number(9)});
  const int joined =
      of.node(tflite::kConcatenation, {of.list({1}), of.list({2, 3})},
              tflite::ConcatenationParameters{0, 0});
  const int gathered =
      of.node(tflite::kGather, {of.list({5, 6, 7}), of.list({2, 0})},
              tflite::GatherParameters{0, 0});
  const int product =
      of.node(tflite::kReduceProd, {numbers, of.list({0, 1})},
              tflite::ReducerParameters{false});
  EXPECT(of.resolve(1, 1).empty());
  EXPECT((of.numbers(turned) == Numbers{1, 4, 2, 5, 3, 6}));
  EXPECT((of.numbers(tiled) == Numbers{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT((of.shape(tiled) == Numbers{2, 6}));
  EXPECT((of.shape(deeper) == Numbers{1, 1, 3}));
  EXPECT((of.numbers(deeper) == Numbers{4, 5, 6}));
  EXPECT((of.numbers(sliced) == Numbers{4, 6}));
  EXPECT((of.numbers(column) == Numbers{2, 5}));
  EXPECT((of.shape(row) == Numbers{1, 2}));
  EXPECT((of.numbers(chosen) == Numbers{1, 2, 3, -1, -1, -1}));
  EXPECT((of.numbers(filled) == Numbers{9, 9, 9, 9}));
  EXPECT((of.numbers(joined) == Numbers{1, 2, 3}));
  EXPECT((of.numbers(gathered) == Numbers{7, 5}));
  EXPECT((of.numbers(product) == Numbers{720}));
}

TEST(a_node_that_makes_nothing_is_refused) {
  Sizes of;
  of.node_without_output(tflite::kNeg, {of.height()});
  EXPECT(of.resolve(4, 4) == "NEG makes nothing") << of.resolve(4, 4);
}

TEST(sizes_whose_sums_overflow_are_refused) {
  for (int size : {-2147483641, 2147483647, 1 << 27}) {
    Sizes of;
    const int odd = of.constant({size}, {});
    of.node(tflite::kConcatenation, {odd, odd},
            tflite::ConcatenationParameters{0, 0});
    EXPECT(!of.resolve(4, 4).empty()) << size;
  }
  Sizes of;
  const int shape = of.node(tflite::kShape, {0});
  const int last = of.node(
      tflite::kStridedSlice,
      {shape, of.list({3}), of.list({4}), of.list({2147483647})},
      tflite::StridedSliceParameters{});
  EXPECT(of.resolve(4, 4).empty());
  EXPECT(of.numbers(last) == Numbers{3});
}

TEST(what_is_too_large_or_senseless_is_refused) {
  const int large = 1 << 30;
  for (int i = 0; i < 9; ++i) {
    Sizes of;
    const int list = of.list({1, 2});
    switch (i) {
      case 0:
        of.node(tflite::kRange, {of.number(0), of.number(large), of.number(1)});
        break;
      case 1:
        of.node(tflite::kRange, {of.number(0), of.number(5), of.number(0)});
        break;
      case 2:
        of.node(tflite::kTile, {list, of.list({large})});
        break;
      case 3:
        of.node(tflite::kFill, {of.list({large, large}), of.number(1)});
        break;
      case 4:
        of.node(tflite::kMul, {of.number(large), of.number(large)}, kPlain);
        break;
      case 5:
        of.node(tflite::kFloorDiv, {of.number(1), of.number(0)});
        break;
      case 6:
        of.node(tflite::kReshape, {list, of.list({3, -1})});
        break;
      case 7:
        of.node(tflite::kTranspose, {list, of.list({1})});
        break;
      default:
        of.node(tflite::kGather, {list, of.list({2})},
                tflite::GatherParameters{0, 0});
    }
    EXPECT(!of.resolve(2, 2).empty()) << i;
  }
}

}  // namespace
}  // namespace issp::testing
