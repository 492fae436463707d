#include "delegate.h"

#include <cstdio>

#include "choice.h"
#include "failure.h"
#include "graph.h"
#include "node.h"
#include "runtime_check.h"

namespace issp {
namespace {

using tflite::Context;

// An object that all graphs of an interpreter share: the context of its
// threads.
const void* file_of(Context* context) {
  constexpr int kCpuBackend = 3;
  const void* shared =
      context->get_external_context
          ? context->get_external_context(context, kCpuBackend)
          : nullptr;
  return shared ? shared : context;
}

// The graphs of a file come one after the other. The main graph is the first.
void note_declined(Context* context, std::map<int, std::string> declined,
                   State* state) {
  const void* file = file_of(context);
  if (file != state->file || state->graphs.count(context)) {
    state->declined.clear();
    state->graphs.clear();
  }
  state->file = file;
  state->graphs.insert(context);
  state->declined.push_back(std::move(declined));
}

int apply(Context* context, tflite::Delegate* delegate) {
  auto* state = static_cast<State*>(delegate->data);
  std::string error = check_runtime(context);
  if (!error.empty()) {
    // The error reporter may be at another place in this runtime.
    std::fprintf(stderr,
                 "ERROR: %s: this TFLite is not compatible: %s.\n", kName,
                 error.c_str());
    return tflite::kError;
  }
  if (!state->refusal.empty()) return fail(context, state->refusal);
  const std::lock_guard<std::mutex> applying(state->applying);
  const Graph graph(context, &error);
  Choice choice;
  if (error.empty()) error = choose(context, state->options, graph, &choice);
  if (!error.empty()) return fail(context, error);
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->parts = std::move(choice.parts);
    note_declined(context, std::move(choice.declined), state);
  }
  if (choice.nodes.empty()) return tflite::kOk;
  const tflite::OwnedArray array(tflite::new_array(choice.nodes));
  if (!array) return fail(context, "there is no memory");
  return context->replace_node_subsets(context, registration(), array.get(),
                                       delegate);
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
