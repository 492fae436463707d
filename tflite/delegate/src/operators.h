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
    kPads,       // It makes an image that only what convolves takes.
    kConvolves,
    kEach,       // It makes each pixel of the same pixel, wherever that is.
    kMoves,      // It knows views, and makes what only nodes that do can take.
  };

  int code;
  // Why a node cannot be computed, or null. `made` becomes the extent of the
  // image that it makes, if it makes one.
  const char* (*check)(const GraphNode& node, Tensors* tensors, Extent* made);
  // Adds what a node computes. Returns what is wrong with it, or nothing.
  std::string (*build)(const GraphNode& node, Builder* builder);
  Role role = kPlain;
  enum Int8 {
    kNone,      // It is computed in float32 alone.
    kSame,      // In int8 too, where what it makes has the scale of all inputs.
    kAny,       // In int8 too.
    kConverts,  // From one type to another.
  };
  Int8 int8 = kNone;
};

// Each ends with an entry that has no `check`.
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

// The operator of a node, or null. What takes a symbol (see `Tensors`) is
// another than what has the same code and takes images.
const Operator* find_operator(const GraphNode& node, const Tensors& tensors);

// Whether a node makes each pixel of the same pixel, wherever that is.
bool is_pixelwise(const GraphNode& node, const Operator& of,
                  const Tensors& tensors);

// Whether an ADD, MUL or SUB has parameters, and no activation follows it.
bool has_no_activation(const GraphNode& node);

// Whether a node makes the mean of the last of four dimensions.
bool is_mean_of_channels(const GraphNode& node, const Tensors& tensors);

constexpr char kNoImages[] =
    "its images are not float32 or int8, or have no 4 dimensions";
constexpr char kOtherChannels[] =
    "its images are not float32 or int8, or have other channels";

}  // namespace issp

#endif  // ISSP_OPERATORS_H_
