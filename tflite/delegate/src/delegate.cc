#include "delegate.h"

#include <cstdio>
#include <cstdlib>

#include "choice.h"
#include "failure.h"
#include "node.h"
#include "runtime_check.h"

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;

int apply(Context* context, tflite::Delegate* delegate) {
  auto* state = static_cast<State*>(delegate->data);
  std::string error = check_runtime(context);
  if (!error.empty()) {
    // What reports errors may not be where it should be.
    std::fprintf(stderr,
                 "ERROR: %s: this TFLite is not compatible: %s.\n", kName,
                 error.c_str());
    return tflite::kError;
  }
  const std::lock_guard<std::mutex> applying(state->applying);
  const Graph graph(context, &error);
  Choice choice;
  if (error.empty()) error = choose(context, state->options, graph, &choice);
  if (!error.empty()) return fail(context, error);
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->parts = std::move(choice.parts);
    state->declined = std::move(choice.declined);
  }
  if (choice.nodes.empty()) return tflite::kOk;
  IntArray* array = tflite::new_array(choice.nodes);
  const int status = context->replace_node_subsets(context, registration(),
                                                   array, delegate);
  std::free(array);
  return status;
}

int prepare_delegate(Context* context, tflite::Delegate* delegate) {
  return guarded(context, [&] { return apply(context, delegate); });
}

}  // namespace

State* new_state(const Options& options) {
  auto* state = new State;
  state->options = options;
  state->delegate.data = state;
  state->delegate.prepare = prepare_delegate;
  state->delegate.flags = tflite::kAllowDynamicTensors;
  return state;
}

void let_go(State* state) {
  if (state->holders.fetch_sub(1) == 1) delete state;
}

}  // namespace issp
