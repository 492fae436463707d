// Attention within windows of an image, in the form of TFLite's converter.

#ifndef ISSP_ATTENDING_H_
#define ISSP_ATTENDING_H_

#include <vector>

#include "fake_runtime.h"
#include "testing.h"

namespace issp::testing {

// The form of attention within windows.
struct Attending {
  int rows = 4;  // Rows of a window.
  int columns = 4;
  int down = 0;  // Shift of the windows.
  int across = 0;
  int heads = 1;
  int channels = 4;  // Of a query and a key of a head.
  int values = 4;    // Channels of a value.
  bool heads_first = false;  // Heads come before windows.
  bool is_flat = false;      // Windows and heads share a dimension.
  bool adjoint_queries = false;
  bool adjoint_keys = false;
  bool adjoint_values = false;
  enum Parts { kConvolutions, kSlices, kStridedSlices, kSplit };
  Parts parts = kConvolutions;  // How queries, keys and values are made.
  enum Place { kImage, kWindows, kLists };
  Place place = kImage;  // They are made before or after windows.
  enum Scale { kNoScale, kOfImage, kOfQueries, kOfKeys };
  Scale scale = kNoScale;
  // The values that are added to scores, in order.
  enum Added {
    kTables,   // By head.
    kMasks,    // By window.
    kAll,      // By window and head.
    kOne,      // The same for all scores.
    kNumber,
    kByKey,
    kByQuery,
  };
  std::vector<Added> added;
  bool subtracts = false;
};

Attending random_attending(Random* random);

// The shape of an image of whole windows.
Shape image_of(const Attending& of, int batch, int channels, Random* random);

// The intermediate tensors.
struct Attended {
  int image = -1;    // After the projection.
  int queries = -1;  // Operand of the first product.
  int keys = -1;
  int values = -1;
  int products = -1;
  int scores = -1;  // Result of SOFTMAX.
  int means = -1;   // Result of the second product.
  int convolved = -1;  // The values, if they are an image.
};

Attended attend(Model* model, int image, const Attending& of, Random* random);

}  // namespace issp::testing

#endif  // ISSP_ATTENDING_H_
