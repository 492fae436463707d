// Blocks of networks of transformers, as TFLite's converter writes them.

#ifndef ISSP_TRANSFORMERS_H_
#define ISSP_TRANSFORMERS_H_

#include <vector>

#include "fake_runtime.h"
#include "layers.h"
#include "testing.h"

namespace issp::testing {

int reshape(Model* model, int tensor, const Shape& shape);
int transpose(Model* model, int tensor, const std::vector<int>& order);
int slice(Model* model, int tensor, const std::vector<int>& begins,
          const Shape& sizes);
int strided_slice(Model* model, int tensor, const std::vector<int>& begins,
                  const Shape& sizes);
std::vector<int> split(Model* model, int tensor, int axis, int parts);
int concatenate(Model* model, const std::vector<int>& tensors, int axis);
int batch_matmul(Model* model, int a, int b, bool adjoint_a, bool adjoint_b);
int mean_of_channels(Model* model, int tensor);

// Begins so many rows and columns later, and goes on at the other end.
int roll(Model* model, int tensor, int down, int across);

// A convolution of single pixels.
int project(Model* model, int tensor, int outputs, Random* random);

// How the windows of an image attend.
struct Attending {
  int rows = 4;  // Of a window.
  int columns = 4;
  int down = 0;  // By how much windows are shifted.
  int across = 0;
  int heads = 1;
  int channels = 4;  // Of a query and a key, by head.
  int values = 4;    // Channels.
  bool heads_first = false;  // Before windows.
  bool is_flat = false;      // Windows and heads are one dimension.
  bool adjoint_queries = false;
  bool adjoint_keys = false;
  bool adjoint_values = false;
  enum Parts { kConvolutions, kSlices, kStridedSlices, kSplit };
  Parts parts = kConvolutions;  // How queries, keys and values are parted.
  enum Place { kImage, kWindows, kLists };
  Place place = kImage;  // Where they are made: before windows or after.
  enum Scale { kNoScale, kOfImage, kOfQueries, kOfKeys };
  Scale scale = kNoScale;
  // What is added to scores, one after the other.
  enum Added {
    kTables,   // By head.
    kMasks,    // By window.
    kAll,      // By window and head.
    kOne,      // The same everywhere.
    kNumber,
    kByKey,
    kByQuery,
  };
  std::vector<Added> added;
  bool subtracts = false;
};

Attending random_attending(Random* random);

// An image of whole windows.
Shape image_of(const Attending& of, int batch, int channels, Random* random);

// What tensors on the way are.
struct Attended {
  int image = -1;    // Behind the projection.
  int queries = -1;  // As the first product takes them.
  int keys = -1;
  int values = -1;
  int products = -1;
  int scores = -1;  // What SOFTMAX makes.
  int means = -1;   // What the second product makes.
  int convolved = -1;  // The values as an image, if they are one.
};

Attended attend(Model* model, int image, const Attending& of, Random* random);

struct Normalizing {
  bool has_scale = true;
  bool has_shift = true;
  bool multiplies = false;  // Squares are products, and no differences.
  double epsilon = 1e-5;
};

int normalize(Model* model, int image, const Normalizing& of, Random* random);

// Adds a block of all of them, with residuals.
int transform(Model* model, int image, const Attending& of, Random* random);

}  // namespace issp::testing

#endif  // ISSP_TRANSFORMERS_H_
