// A small replacement of TFLite, to test the delegate without TFLite.
//
// It computes nodes that the delegate leaves with `reference.h`.

#ifndef ISSP_FAKE_RUNTIME_H_
#define ISSP_FAKE_RUNTIME_H_

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "encoding.h"
#include "reference.h"
#include "tflite_abi.h"

extern "C" {
issp::tflite::Delegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count,
    void (*report_error)(const char*));
void tflite_plugin_destroy_delegate(issp::tflite::Delegate* delegate);
const char* issp_delegate_report(issp::tflite::Delegate* delegate);
const char* issp_delegate_version();
}

namespace issp::testing {

// A network, like in a file.
class Model {
 public:
  // Adds an input image. If it `is_dynamic`, its height and width are open in
  // the file, which stores 1.
  int input(Shape shape, bool is_dynamic = false);

  int constant(Array array, const Encoding& encoding = {});
  int integers(const std::vector<int>& numbers);

  // Adds a constant that is sparse or of another type, and nodes that unpack
  // it.
  int unpacked(Array array, const Encoding& encoding);

  template <class Parameters>
  int node(int code, const std::vector<int>& inputs,
           const Parameters& parameters) {
    return add(code, inputs, &parameters, sizeof(parameters));
  }
  int node(int code, const std::vector<int>& inputs) {
    return add(code, inputs, nullptr, 0);
  }
  // Adds a node with several outputs.
  std::vector<int> nodes(int code, const std::vector<int>& inputs,
                         int outputs) {
    add(code, inputs, nullptr, 0, outputs);
    return layers.back().outputs;
  }

  void output(int tensor) { outputs.push_back(tensor); }
  const Shape& shape(int tensor) const { return tensors[tensor].array.shape; }

  struct Variable {
    Array array;  // Has values if it is a constant.
    bool is_constant = false;
    bool is_dynamic = false;
    Encoding encoding;
    std::vector<int> integers;
  };
  struct Layer {
    int code;
    std::vector<int> inputs;
    std::vector<int> outputs;
    std::vector<char> parameters;
  };
  std::vector<Variable> tensors;
  std::vector<Layer> layers;
  std::vector<int> inputs;
  std::vector<int> outputs;

 private:
  int add(int code, const std::vector<int>& inputs, const void* parameters,
          size_t bytes, int outputs = 1);
};

// Computes all tensors for these inputs. If it `rounds`, they are rounded to
// float32.
std::map<int, Array> evaluate(const Model& model,
                              const std::map<int, Array>& inputs,
                              bool rounds = false);

class Interpreter {
 public:
  explicit Interpreter(const Model& model);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // Returns whether the delegate succeeds.
  bool apply(tflite::Delegate* delegate);
  void resize(int tensor, const Shape& shape);
  // Only prepares the nodes of delegates. Returns whether all succeed.
  bool prepare_parts();
  bool allocate();
  bool invoke();
  // From now on, it computes only what a delegate takes, and refuses to
  // allocate more than this. For graphs that no runtime can compute.
  void skip_others(int64_t most_bytes) {
    skips_ = true;
    most_bytes_ = most_bytes;
  }

  void set(int tensor, const Array& array);
  Array get(int tensor) const;
  // The exact bits.
  std::vector<float> floats(int tensor) const;

  // The number of model nodes that the delegate leaves.
  int left() const;

  tflite::Context* context() { return &context_; }
  tflite::Tensor& tensor(int i) { return tensors_[i]; }
  tflite::Node& node(int i) { return *nodes_[i]; }
  int code(int node) const { return registrations_[node]->operator_code; }
  std::deque<Stored>& stored() { return stored_; }
  const std::string& errors() const { return errors_; }
  void recommend_threads(int threads) {
    context_.recommended_threads = threads;
  }

 private:
  struct Part {
    tflite::DelegateParameters parameters{};
    std::vector<Integers> arrays;
    bool is_chosen = false;
    std::vector<int> nodes;
    std::vector<int> inputs;
    std::vector<int> outputs;
  };

  static Interpreter& of(tflite::Context* context) {
    return *static_cast<Interpreter*>(context->implementation);
  }
  static int get_plan(tflite::Context* context, tflite::IntArray** plan);
  static int get_node(tflite::Context* context, int index, tflite::Node** node,
                      tflite::Registration** registration);
  static int preview(tflite::Context* context, const tflite::IntArray* nodes,
                     tflite::DelegateParameters** partitions, int* count);
  static int replace(tflite::Context* context,
                     tflite::Registration registration,
                     const tflite::IntArray* nodes,
                     tflite::Delegate* delegate);
  static int resize_tensor(tflite::Context* context, tflite::Tensor* tensor,
                           tflite::IntArray* shape);
  static void report(tflite::Context* context, const char* format, ...);

  std::vector<Part> partition(const tflite::IntArray* chosen);
  void set_shape(int tensor, const Shape& shape);
  // Whether this runtime can compute a tensor. Tests may change others to int8.
  bool computes(int tensor) const;
  int64_t bytes_of(int tensor) const;
  Array input_of(int tensor) const;
  int add_node(const tflite::Registration& registration,
               const std::vector<int>& inputs, const std::vector<int>& outputs);

  const Model& model_;
  tflite::Context context_{};
  std::vector<tflite::Tensor> tensors_;
  std::vector<Integers> shapes_;
  std::vector<Integers> signatures_;
  std::vector<Memory> memory_;
  std::vector<std::string> names_;
  std::deque<Stored> stored_;
  std::vector<std::unique_ptr<tflite::Node>> nodes_;
  std::vector<std::unique_ptr<tflite::Registration>> registrations_;
  std::vector<Integers> arrays_;
  std::vector<Memory> parameters_;
  std::vector<int> plan_;
  Integers plan_array_;
  std::vector<Part> previewed_;
  std::vector<tflite::DelegateParameters> previewed_parameters_;
  std::string errors_;
  bool skips_ = false;
  int64_t most_bytes_ = int64_t{1} << 40;
};

// A delegate with options. It is destroyed automatically. For wrong options, it
// is null, or a delegate that refuses all graphs if nobody listens to errors.
using Options = std::map<std::string, std::string>;
using OwnedDelegate =
    std::unique_ptr<tflite::Delegate, void (*)(tflite::Delegate*)>;
OwnedDelegate new_delegate(const Options& options, bool listens = true);

// The kernels that this CPU runs, except those in float16.
std::vector<std::string> kernel_names();

// The largest difference, relative to the largest expected number.
double difference(const Array& found, const Array& expected);

constexpr double kTolerance = 1e-5;

// The exact results of a model, and those with all tensors rounded to float32.
struct Expected {
  Expected(const Model& model, const std::map<int, Array>& inputs)
      : exact(evaluate(model, inputs)),
        rounded(evaluate(model, inputs, true)) {}

  std::map<int, Array> exact;
  std::map<int, Array> rounded;
};

// Runs a model with a delegate and compares all outputs with the reference.
// `nodes_left` nodes must be left to the runtime; any number if it is negative.
// Returns the outputs.
std::vector<std::vector<float>> check(const Model& model,
                                      const std::map<int, Array>& inputs,
                                      const Expected& expected,
                                      Options options, int nodes_left,
                                      const std::string& what,
                                      double tolerance = kTolerance);

}  // namespace issp::testing

#endif  // ISSP_FAKE_RUNTIME_H_
