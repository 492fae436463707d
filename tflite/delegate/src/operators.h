// The operators of TFLite that the delegate computes. Each operator has an
// entry in the table of a file `op_*.cc`.

#ifndef ISSP_OPERATORS_H_
#define ISSP_OPERATORS_H_

#include <string>

#include "builder.h"
#include "graph.h"
#include "tensors.h"

namespace issp {

struct Operator {
  enum Role {
    kPlain,
    kPads,       // Only a node that convolves can use its result.
    kConvolves,
    kEach,       // Each pixel depends only on the same pixel of the input.
    kMoves,      // It makes a view. Only nodes that know views can use it.
  };

  int code;
  // Why a node cannot be computed, or null. `made` becomes the extent of the
  // result, if that is an image.
  const char* (*check)(const GraphNode& node, Tensors* tensors, Extent* made);
  // Adds the operations of a node. Returns the error, or an empty string.
  std::string (*build)(const GraphNode& node, Builder* builder);
  Role role = kPlain;
  enum Int8 {
    kNone,      // Only float32.
    kSame,      // Also int8, if the output has the scale of all inputs.
    kAny,       // Also int8.
    kConverts,  // From one type to another.
  };
  Int8 int8 = kNone;
};

// The last entry of each table has no `check`.
extern const Operator kAttentions[];
extern const Operator kConcatenations[];
extern const Operator kConvolutions[];
extern const Operator kElementwise[];
extern const Operator kFunctions[];
extern const Operator kGathers[];
extern const Operator kMoves[];
extern const Operator kNormalizations[];
extern const Operator kQuantizations[];
extern const Operator kReductions[];
extern const Operator kResamplings[];
extern const Operator kSoftmaxes[];

// The operator of a node, or null. A node that uses a symbol (see `Tensors`)
// has another operator than a node with the same code that uses images.
const Operator* find_operator(const GraphNode& node, const Tensors& tensors);

// Whether each pixel of a node depends only on the same pixel of the input.
bool is_pixelwise(const GraphNode& node, const Operator& of,
                  const Tensors& tensors);

// Whether an ADD, MUL or SUB has parameters and no activation.
bool has_no_activation(const GraphNode& node);

// Whether a node computes the mean over the last of four dimensions.
bool is_mean_of_channels(const GraphNode& node, const Tensors& tensors);

constexpr char kNoImages[] =
    "its images are not float32 or int8, or have no 4 dimensions";
constexpr char kOtherChannels[] =
    "its images are not float32 or int8, or have other channels";

}  // namespace issp

#endif  // ISSP_OPERATORS_H_
