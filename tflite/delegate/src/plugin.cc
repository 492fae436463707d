// The TFLite external delegate.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "graph.h"
#include "plan.h"
#include "runtime_check.h"
#include "tflite_abi.h"
#include "thread_pool.h"

#ifndef ISSP_VERSION
#define ISSP_VERSION "unknown"
#endif

#define ISSP_EXPORT extern "C" __attribute__((visibility("default")))

namespace issp {
namespace {

using tflite::Context;
using tflite::IntArray;
using tflite::new_array;
using tflite::Node;
using tflite::Registration;

constexpr char kName[] = "IsspSparseDelegate";
// Below, it is not worth the conversion of the images.
constexpr double kLeastSpeedup = 1.1;

// The options, as `tflite_plugin_create_delegate` has them.
struct Options {
  int threads = 0;  // As the runtime recommends.
  double min_sparsity = 0.3;
  bool always = false;  // Also where no gain is expected, of threads too.
  double tuning_seconds = 0.1;
  size_t cache_bytes = 0;  // As the CPU has.
  const Kernels* kernels = nullptr;
  bool float16 = false;  // Where the CPU computes with it.
  bool profile = false;
};

struct Kernel;

// What the delegate and its nodes share. It lives as long as any of them, in
// whatever order the runtime lets go of them.
struct State {
  tflite::Delegate delegate{};
  Options options;
  std::atomic<int> holders{1};
  std::mutex applying;  // One graph at a time; locked before `mutex`.
  std::mutex mutex;     // Of what follows.
  std::map<int, std::unique_ptr<ThreadPool>> pools;  // By threads.
  Arena arena;  // Whoever holds it has the threads too.
  // Of nodes that are about to be made, by the nodes that they replace.
  std::vector<std::pair<std::vector<int>, std::vector<Part>>> parts;
  std::set<Kernel*> nodes;
  std::map<int, std::string> declined;  // Why, by node of the graph.
  std::string report;
};

void let_go(State* state) {
  if (state->holders.fetch_sub(1) == 1) delete state;
}

// One part of a graph, for images of one size.
struct Job {
  Part part;
  std::unique_ptr<Plan> plan;
  std::vector<Size> sizes;
  int batch = 0;
  int runs = 0;
  std::vector<double> seconds;  // By operation, of all runs.
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  std::vector<size_t> input_steps;  // Numbers in an image.
  std::vector<size_t> output_steps;
};

// A node of the runtime, that computes parts.
struct Kernel {
  State* state;
  std::vector<Job> jobs;
  ThreadPool* pool = nullptr;
};

// Bytes that a band may take. Three times the second cache of a core was the
// fastest of 0.5 to 8 with one thread and with two; more threads have more.
size_t cache_of_cpu(int threads) {
  long bytes = -1;
#ifdef _SC_LEVEL2_CACHE_SIZE
  bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  return std::max(threads, 3) * (bytes > 0 ? size_t(bytes) : 512 * 1024);
}

std::vector<int> to_vector(const IntArray* array) {
  return {array->data, array->data + array->size};
}

void* init(Context*, const char* buffer, size_t) {
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

int fail(Context* context, const std::string& reason) {
  context->report_error(context, "%s: %s.", kName, reason.c_str());
  return tflite::kError;
}

// Lists of pixels are images of this width, if that divides them.
constexpr int kWidths[] = {128, 96, 64};

// The height and width of the image that a list of pixels is taken for.
bool list_size(const tflite::Tensor& tensor, int channels, Size* size) {
  const IntArray* shape = tensor.shape;
  int64_t count = 1;
  for (int i = 0; shape && i < shape->size; ++i) count *= shape->data[i];
  if (!shape || count < 1 || count % channels) return false;
  const int pixels = int(count / channels);
  *size = {1, pixels};
  for (int width : kWidths) {
    if (pixels % width) continue;
    *size = {pixels / width, width};
    break;
  }
  return true;
}

// Calls what C++ may fail in, for C: without memory, or without threads.
template <class Function>
int guarded(Context* context, const Function& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    return fail(context, error.what());
  }
}

// The height and width of a tensor's images, if they have so many channels.
bool image_size(const tflite::Tensor& tensor, int channels, Size* size,
                int* batch) {
  const IntArray* shape = tensor.shape;
  if (!shape || (shape->size != 4 && shape->size != 2)) return false;
  if (shape->data[shape->size - 1] != channels) return false;
  *batch = shape->data[0];
  *size = shape->size == 2 ? Size{1, 1} : Size{shape->data[1], shape->data[2]};
  return size->height > 0 && size->width > 0;
}

// The shape of a list of pixels: that of the input, if it has as many
// dimensions, but for the channels.
std::vector<int> list_shape(const Context& context, const Part& part,
                            int pixels, int channels, int rank) {
  std::vector<int> shape = to_vector(context.tensors[part.inputs[0]].shape);
  if (int(shape.size()) != rank) shape = {pixels, channels};
  shape.back() = channels;
  return shape;
}

// Of the images that a part takes: their sizes, and how many there are of each.
// Returns what is wrong with them, or nothing.
std::string read_sizes(const Context& context, const Part& part,
                       std::vector<Size>* sizes, int* batch) {
  for (const Operation& of : part.network.operations) {
    if (of.kind != Operation::kInput) continue;
    const tflite::Tensor& tensor = context.tensors[part.inputs[of.tensor]];
    const int channels = part.network.values[of.output].channels;
    Size size;
    int images = 1;
    if (!(of.rows ? list_size(tensor, channels, &size)
                  : image_size(tensor, channels, &size, &images))) {
      return std::string(tensor.name ? tensor.name : "a tensor") +
             " is no image of " + std::to_string(channels) + " channels";
    }
    if (!sizes->empty() && images != *batch) {
      return "its inputs have different batches";
    }
    *batch = images;
    sizes->push_back(size);
  }
  return "";
}

Settings settings_of(const Options& options, int threads) {
  Settings settings;
  settings.kernels = options.kernels;
  settings.cache_bytes =
      options.cache_bytes ? options.cache_bytes : cache_of_cpu(threads);
  settings.tuning_seconds = options.tuning_seconds;
  settings.all_threads = options.always;
  return settings;
}

int prepare_job(Context* context, State* state, ThreadPool* pool, Job* job) {
  const Part& part = job->part;
  std::vector<Size> sizes;
  std::string error = read_sizes(*context, part, &sizes, &job->batch);
  if (!error.empty()) return fail(context, error);
  if (!job->plan || job->sizes != sizes || &job->plan->pool() != pool) {
    {
      // The memory of the old one first.
      const std::lock_guard<std::mutex> lock(state->mutex);
      job->plan.reset();
    }
    auto plan = std::make_unique<Plan>(
        part.network, sizes, settings_of(state->options, pool->size()), pool,
        &state->arena, &error);
    if (!error.empty()) return fail(context, error);
    // The report, of any thread, tells of what follows.
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
                                 part.network.values[of.output].channels);
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
    job->output_steps.push_back(size_t(size.height) * size.width * channels);
    IntArray* array = new_array(shape);
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
  if (!kernel) return fail(context, "a part of the graph was not announced");
  State* state = kernel->state;
  int threads = state->options.threads;
  if (threads < 1) threads = std::max(context->recommended_threads, 1);
  // All wait for the last one, so that more than there are cores slow it.
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

int invoke(Context* context, Node* node) {
  auto* kernel = static_cast<Kernel*>(node->user_data);
  State* state = kernel->state;
  std::unique_lock<std::mutex> lock(state->mutex, std::defer_lock);
  // A report, of any thread, tells of times and runs.
  const bool profiles = state->options.profile;
  if (profiles) lock.lock();
  for (Job& job : kernel->jobs) {
    const Part& part = job.part;
    for (int image = 0; image < job.batch; ++image) {
      for (size_t i = 0; i < part.inputs.size(); ++i) {
        job.inputs[i] =
            static_cast<const float*>(context->tensors[part.inputs[i]].data) +
            image * job.input_steps[i];
      }
      for (size_t i = 0; i < part.outputs.size(); ++i) {
        job.outputs[i] =
            static_cast<float*>(context->tensors[part.outputs[i]].data) +
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

// Why a part is left to the runtime, or nothing.
std::string why_not(const Context& context, const Part& part,
                    const Options& options) {
  std::vector<Size> sizes;
  int batch = 0;
  if (read_sizes(context, part, &sizes, &batch).empty()) {
    const std::string conflict =
        Plan::conflict(part.network, sizes, settings_of(options, 1));
    if (!conflict.empty()) return conflict;
  }
  if (options.always) return "";
  char text[160];
  if (part.sparsity() < options.min_sparsity) {
    std::snprintf(text, sizeof(text),
                  "%.0f %% of the weights of its part of the graph are zero, "
                  "and %.0f %% must be",
                  100 * part.sparsity(), 100 * options.min_sparsity);
    return text;
  }
  if (part.speedup() < kLeastSpeedup) {
    std::snprintf(text, sizeof(text),
                  "its part of the graph is expected to be %.1f times as fast "
                  "as dense, and %.1f is needed",
                  part.speedup(), kLeastSpeedup);
    return text;
  }
  return "";
}

// What a delegate takes of a graph.
struct Choice {
  std::vector<int> nodes;
  std::vector<std::pair<std::vector<int>, std::vector<Part>>> parts;
  std::map<int, std::string> declined;
};

// Keeps, of what can be computed, the parts for which that is faster.
std::string choose(Context* context, const Options& options,
                   const Graph& graph, Choice* choice) {
  std::set<int> kept(graph.supported().begin(), graph.supported().end());
  choice->declined = graph.problems();
  while (true) {
    for (int index : graph.unpackers_without_users(kept)) kept.erase(index);
    std::vector<int> order;
    for (int index : graph.supported()) {
      if (kept.count(index)) order.push_back(index);
    }
    choice->nodes = order;
    choice->parts.clear();
    if (order.empty()) return "";
    IntArray* nodes = new_array(order);
    tflite::DelegateParameters* partitions = nullptr;
    int count = 0;
    const int status = context->preview_partitioning(context, nodes,
                                                     &partitions, &count);
    std::free(nodes);
    if (status != tflite::kOk) return "the runtime cannot part the graph";
    bool all = true;
    for (int i = 0; i < count; ++i) {
      const std::vector<int> nodes = to_vector(partitions[i].nodes_to_replace);
      const std::vector<int> outputs = to_vector(partitions[i].output_tensors);
      std::vector<Part> parts;
      for (const std::vector<int>& of : graph.connected(nodes)) {
        Part part;
        const std::string error = graph.build(of, outputs, &part);
        if (!error.empty()) return error;
        const std::string reason = why_not(*context, part, options);
        if (reason.empty()) {
          parts.push_back(std::move(part));
          continue;
        }
        all = false;
        for (int index : of) {
          kept.erase(index);
          choice->declined[index] = reason;
        }
      }
      choice->parts.push_back({nodes, std::move(parts)});
    }
    if (all) return "";
  }
}

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
  Registration registration{};
  registration.init = init;
  registration.free = free_kernel;
  registration.prepare = prepare;
  registration.invoke = invoke;
  registration.operator_code = tflite::kDelegate;
  registration.custom_name = kName;
  registration.version = 1;
  IntArray* array = new_array(choice.nodes);
  const int status = context->replace_node_subsets(context, registration,
                                                   array, delegate);
  std::free(array);
  return status;
}

int prepare_delegate(Context* context, tflite::Delegate* delegate) {
  return guarded(context, [&] { return apply(context, delegate); });
}

// Numbers are read and written alike whatever language the program has set.
bool read_number(const char* text, double low, double high, double* number) {
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  return stream >> *number && stream.eof() && *number >= low &&
         *number <= high;
}

bool read_whole(const char* text, int low, int high, int* number) {
  double read;
  if (!read_number(text, low, high, &read)) return false;
  *number = int(read);
  return *number == read;
}

bool read_switch(const char* text, bool* is_on) {
  int number;
  if (!read_whole(text, 0, 1, &number)) return false;
  *is_on = number == 1;
  return true;
}

std::string decimal(double number) {
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  stream << std::fixed << number;
  return stream.str();
}

// Returns what was expected of an option, or nothing.
std::string set_option(const std::string& key, const char* value,
                       Options* options) {
  if (key == "num_threads") {
    if (!read_whole(value, 0, 256, &options->threads)) {
      return "a whole number from 0 to 256";
    }
  } else if (key == "min_sparsity") {
    if (!read_number(value, 0, 1, &options->min_sparsity)) return "0 to 1";
  } else if (key == "always") {
    if (!read_switch(value, &options->always)) return "0 or 1";
  } else if (key == "tuning_seconds") {
    if (!read_number(value, 0, 60, &options->tuning_seconds)) return "0 to 60";
  } else if (key == "cache_bytes") {
    int bytes;
    if (!read_whole(value, 0, 1 << 30, &bytes)) {
      return "a whole number from 0 to 2^30";
    }
    options->cache_bytes = size_t(bytes);
  } else if (key == "profile") {
    if (!read_switch(value, &options->profile)) return "0 or 1";
  } else if (key == "float16") {
    if (!read_switch(value, &options->float16)) return "0 or 1";
  } else if (key == "kernels") {
    options->kernels = find_kernels(value);
    if (!options->kernels) return "the name of kernels that this CPU runs";
  } else {
    return "another name: num_threads, min_sparsity, always, tuning_seconds, "
           "cache_bytes, profile, float16 or kernels";
  }
  return "";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result + "\"";
}

std::string describe(const Job& job) {
  const Network& network = job.part.network;
  std::string text = "{\"nodes\": " + std::to_string(job.part.nodes) +
                     ", \"expected_speedup\": " +
                     decimal(job.part.speedup()) +
                     ", \"runs\": " + std::to_string(job.runs) +
                     ", \"sparsity\": " + decimal(job.part.sparsity());
  if (job.plan) {
    text += ", \"bytes\": " + std::to_string(job.plan->bytes()) +
            ", \"groups\": " + std::to_string(job.plan->groups());
  }
  text += ", \"layers\": [";
  for (size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& of = network.operations[i];
    if (i) text += ", ";
    text += "{\"name\": " + quoted(of.name);
    text += ", \"nonzeros\": " + std::to_string(of.weights.size());
    text += ", \"dense\": " + std::to_string(int64_t(of.dense));
    if (job.plan) text += ", " + job.plan->describe(int(i));
    const double seconds = job.runs ? job.seconds[i] / job.runs : 0;
    text += ", \"ms\": " + decimal(1e3 * seconds) + "}";
  }
  return text + "]}";
}

}  // namespace
}  // namespace issp

ISSP_EXPORT issp::tflite::Delegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count,
    void (*report_error)(const char*)) {
  issp::Options options;
  for (size_t i = 0; i < count; ++i) {
    const std::string expected =
        issp::set_option(keys[i], values[i], &options);
    if (expected.empty()) continue;
    const std::string error = std::string(issp::kName) + ": option " +
                              keys[i] + " is '" + values[i] + "', expected " +
                              expected + ".";
    if (report_error) {
      report_error(error.c_str());
    } else {
      std::fprintf(stderr, "ERROR: %s\n", error.c_str());
    }
    return nullptr;
  }
  if (!options.kernels && options.float16) {
    options.kernels = issp::find_kernels("neon_float16");
  }
  if (!options.kernels) options.kernels = issp::find_kernels(nullptr);
  auto* state = new issp::State;
  state->options = options;
  state->delegate.data = state;
  state->delegate.prepare = issp::prepare_delegate;
  state->delegate.flags = issp::tflite::kAllowDynamicTensors;
  return &state->delegate;
}

ISSP_EXPORT void tflite_plugin_destroy_delegate(
    issp::tflite::Delegate* delegate) {
  if (delegate) issp::let_go(static_cast<issp::State*>(delegate->data));
}

// Which sources this is made of.
ISSP_EXPORT const char* issp_delegate_version() { return ISSP_VERSION; }

// What the nodes of a delegate do, as JSON; valid until the next call.
ISSP_EXPORT const char* issp_delegate_report(
    issp::tflite::Delegate* delegate) {
  auto* state = static_cast<issp::State*>(delegate->data);
  std::lock_guard<std::mutex> lock(state->mutex);
  std::string& text = state->report;
  text = std::string("{\"kernels\": \"") + state->options.kernels->name +
         "\", \"parts\": [";
  const char* comma = "";
  for (const issp::Kernel* kernel : state->nodes) {
    for (const issp::Job& job : kernel->jobs) {
      text += comma + issp::describe(job);
      comma = ", ";
    }
  }
  text += "], \"declined\": {";
  comma = "";
  for (const auto& [node, reason] : state->declined) {
    text += comma + issp::quoted(std::to_string(node)) + ": " +
            issp::quoted(reason);
    comma = ", ";
  }
  text += "}}";
  return text.c_str();
}
