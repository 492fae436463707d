// Attention between the pixels of windows of an image, as TFLite's converter
// writes it.

#ifndef ISSP_ATTENDING_H_
#define ISSP_ATTENDING_H_

#include <vector>

#include "fake_runtime.h"
#include "testing.h"

namespace issp::testing {

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

}  // namespace issp::testing

#endif  // ISSP_ATTENDING_H_
