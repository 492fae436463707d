#include "node.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include "delegate.h"
#include "failure.h"
#include "shapes.h"
#include "whole.h"

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;
using tflite::to_vector;
using tflite::Node;
using tflite::Registration;

void* make_kernel(const char* buffer) {
  const auto* parameters =
      reinterpret_cast<const tflite::DelegateParameters*>(buffer);
  auto* state = static_cast<State*>(parameters->delegate->data);
  const std::vector<int> nodes = to_vector(parameters->nodes_to_replace);
  std::lock_guard<std::mutex> lock(state->mutex);
  const auto part =
      std::find_if(state->parts.begin(), state->parts.end(),
                   [&](const auto& of) { return of.first == nodes; });
  if (part == state->parts.end()) return nullptr;
  auto kernel = std::make_unique<Kernel>();
  kernel->state = state;
  for (Part& of : part->second) {
    kernel->jobs.emplace_back();
    kernel->jobs.back().part = std::move(of);
  }
  state->parts.erase(part);
  state->nodes.insert(kernel.get());
  ++state->holders;
  return kernel.release();
}

// Returns null if memory is missing. `prepare` reports it.
void* init(Context*, const char* buffer, size_t) {
  try {
    return make_kernel(buffer);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void free_kernel(Context*, void* buffer) {
  auto* kernel = static_cast<Kernel*>(buffer);
  if (!kernel) return;
  State* state = kernel->state;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    state->nodes.erase(kernel);
  }
  delete kernel;
  let_go(state);
}

// Rebuilds the network of a part if it depends on the size of its image.
std::string rebuild(const Context& context, State* state, Job* job) {
  Part& part = job->part;
  if (!part.graph) return "";
  const IntArray* shape = context.tensors[part.inputs[0]].shape;
  if (!shape) return "it has no shape";
  const std::vector<int> wanted = to_vector(shape);
  if (job->shape == wanted) return "";
  Part made;
  std::string error = build_whole(*part.graph, wanted, &made);
  if (!error.empty()) return error;
  // The plan refers to the network. A report may read it on any thread.
  const std::lock_guard<std::mutex> lock(state->mutex);
  job->plan.reset();
  part.network = std::move(made.network);
  job->shape = wanted;
  return "";
}

// Whether an image has one pixel. This is also the shape of an open size that
// is not set.
bool is_placeholder(const IntArray* shape) {
  return shape && shape->size == 4 && shape->data[1] == 1 &&
         shape->data[2] == 1;
}

// Waits for a size if the network does not accept one pixel.
int wait_for_size(Context* context, State* state, Job* job) {
  const Part& part = job->part;
  tflite::Tensor& tensor = context->tensors[part.outputs[0]];
  std::vector<int> shape = to_vector(tensor.shape);
  std::replace_if(shape.begin(), shape.end(), [](int n) { return n < 1; }, 1);
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    job->plan.reset();
  }
  IntArray* array = tflite::new_array(shape);
  if (!array) return fail(context, "there is no memory for a shape");
  return context->resize_tensor(context, &tensor, array);
}

int prepare_job(Context* context, State* state, ThreadPool* pool, Job* job) {
  const Part& part = job->part;
  std::vector<Size> sizes;
  std::string error = rebuild(*context, state, job);
  if (!error.empty() &&
      is_placeholder(context->tensors[part.inputs[0]].shape)) {
    return wait_for_size(context, state, job);
  }
  if (error.empty()) {
    error = read_sizes(*context, part, &sizes, &job->batch);
  }
  if (!error.empty()) return fail(context, error);
  if (!job->plan || job->sizes != sizes || &job->plan->pool() != pool) {
    {
      // Frees the memory of the old plan first.
      const std::lock_guard<std::mutex> lock(state->mutex);
      job->plan.reset();
    }
    auto plan = std::make_unique<Plan>(
        part.network, sizes, settings_of(state->options, pool->size()), pool,
        &state->arena, &error);
    if (!error.empty()) return fail(context, error);
    // A report may read the following on any thread.
    const std::lock_guard<std::mutex> lock(state->mutex);
    job->plan = std::move(plan);
    job->sizes = sizes;
    job->seconds.assign(part.network.operations.size(), 0);
    job->runs = 0;
  }
  job->input_steps.clear();
  job->output_steps.clear();
  for (const Operation& of : part.network.operations) {
    if (of.kind == Operation::kInput) {
      const Size size = job->plan->size(of.output);
      job->input_steps.push_back(size_t(size.height) * size.width *
                                 part.network.values[of.output].channels *
                                 bytes_of(of.pixels));
    }
    if (of.kind != Operation::kOutput) continue;
    tflite::Tensor& tensor = context->tensors[part.outputs[of.tensor]];
    const Size size = job->plan->size(of.input);
    const int channels = part.network.values[of.input].channels;
    std::vector<int> shape{job->batch, size.height, size.width, channels};
    if (of.rows) {
      shape = list_shape(*context, part, size.height * size.width, channels,
                         tensor.shape->size);
    } else if (tensor.shape->size == 2) {
      if (size != Size{1, 1}) {
        return fail(context, "makes images where the file has one pixel");
      }
      shape = {job->batch, channels};
    }
    job->output_steps.push_back(size_t(size.height) * size.width * channels *
                                bytes_of(of.pixels));
    IntArray* array = tflite::new_array(shape);
    if (!array) return fail(context, "there is no memory for a shape");
    const int status = context->resize_tensor(context, &tensor, array);
    if (status != tflite::kOk) return status;
  }
  job->inputs.resize(part.inputs.size());
  job->outputs.resize(part.outputs.size());
  return tflite::kOk;
}

int prepare_kernel(Context* context, Node* node) {
  auto* kernel = static_cast<Kernel*>(node->user_data);
  if (!kernel) return fail(context, "a part of the graph was not announced, or "
                         "there is no memory");
  State* state = kernel->state;
  int threads = state->options.threads;
  if (threads < 1) threads = std::max(context->recommended_threads, 1);
  // All threads wait for the last one, so more threads than cores are slower.
  if (!state->options.always) threads = std::min(threads, usable_cores());
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    std::unique_ptr<ThreadPool>& pool = state->pools[threads];
    if (!pool) pool = std::make_unique<ThreadPool>(threads);
    kernel->pool = pool.get();
  }
  for (Job& job : kernel->jobs) {
    const int status = prepare_job(context, state, kernel->pool, &job);
    if (status != tflite::kOk) return status;
  }
  return tflite::kOk;
}

int prepare(Context* context, Node* node) {
  return guarded(context, [&] { return prepare_kernel(context, node); });
}

// Whether tensors have memory for images of these sizes.
bool have_memory(const Context& context, const std::vector<int>& tensors,
                 const std::vector<size_t>& steps, int batch) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const tflite::Tensor& tensor = context.tensors[tensors[i]];
    const size_t bytes = steps[i] * size_t(batch);
    if (bytes && (!tensor.data || tensor.bytes < bytes)) return false;
  }
  return true;
}

int invoke_kernel(Context* context, Node* node) {
  auto* kernel = static_cast<Kernel*>(node->user_data);
  State* state = kernel->state;
  std::unique_lock<std::mutex> lock(state->mutex, std::defer_lock);
  // A report may read times and runs on any thread.
  const bool profiles = state->options.profile;
  if (profiles) lock.lock();
  for (Job& job : kernel->jobs) {
    const Part& part = job.part;
    if (!job.plan) return fail(context, "it has no network for one pixel");
    // A file may lie about which tensors are made.
    if (!have_memory(*context, part.inputs, job.input_steps, job.batch) ||
        !have_memory(*context, part.outputs, job.output_steps, job.batch)) {
      return fail(context, "a tensor has too little memory for its image");
    }
    for (int image = 0; image < job.batch; ++image) {
      for (size_t i = 0; i < part.inputs.size(); ++i) {
        job.inputs[i] =
            static_cast<const char*>(context->tensors[part.inputs[i]].data) +
            image * job.input_steps[i];
      }
      for (size_t i = 0; i < part.outputs.size(); ++i) {
        job.outputs[i] =
            static_cast<char*>(context->tensors[part.outputs[i]].data) +
            image * job.output_steps[i];
      }
      job.plan->run(job.inputs.data(), job.outputs.data(),
                    profiles ? job.seconds.data() : nullptr);
    }
  }
  if (!lock.owns_lock()) lock.lock();
  for (Job& job : kernel->jobs) job.runs += job.batch;
  return tflite::kOk;
}

int invoke(Context* context, Node* node) {
  return guarded(context, [&] { return invoke_kernel(context, node); });
}

}  // namespace

tflite::Registration registration() {
  Registration registration{};
  registration.init = init;
  registration.free = free_kernel;
  registration.prepare = prepare;
  registration.invoke = invoke;
  registration.operator_code = tflite::kDelegate;
  registration.custom_name = kName;
  registration.version = 1;
  return registration;
}

}  // namespace issp
