// Tensors as images.

#include "shapes.h"

#include "encoding.h"
#include "testing.h"

namespace issp::testing {
namespace {

// Reads the size of the only image of a part. It is a list of pixels.
std::string read(const std::vector<int>& shape, int channels, Size* size) {
  tflite::Tensor tensor{};
  const Integers array = new_integers(shape);
  tensor.shape = array.get();
  tensor.name = "list";
  tflite::Context context{};
  context.tensor_count = 1;
  context.tensors = &tensor;
  Part part;
  part.network.values.push_back({channels});
  Operation input;
  input.kind = Operation::kInput;
  input.rows = true;
  input.output = 0;
  input.tensor = 0;
  part.network.operations.push_back(input);
  part.inputs = {0};
  std::vector<Size> sizes;
  int batch = 0;
  const std::string error = read_sizes(context, part, &sizes, &batch);
  if (error.empty()) *size = sizes.front();
  return error;
}

TEST(lists_of_pixels_are_images_of_as_many) {
  for (const std::vector<int>& shape :
       {std::vector<int>{5, 3}, {2, 64, 3}, {300, 7, 96, 3}, {1, 3}}) {
    Size size;
    EXPECT(read(shape, 3, &size).empty());
    int64_t pixels = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) pixels *= shape[i];
    EXPECT(int64_t(size.height) * size.width == pixels) << pixels;
  }
}

TEST(lists_of_more_pixels_than_fit_are_refused) {
  for (const std::vector<int>& shape :
       {std::vector<int>{1 << 16, 1 << 16, 3}, {1 << 30, 4, 3},
        {1 << 16, 1 << 16, 1 << 16, 1 << 16, 3}, {0, 3}, {4, -1, 3}, {5, 2}}) {
    Size size;
    EXPECT(read(shape, 3, &size) == "list is no image of 3 channels")
        << shape[0] << " pixels are " << size.height << "x" << size.width;
  }
}

}  // namespace
}  // namespace issp::testing
