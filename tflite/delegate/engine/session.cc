#include "session.h"

#include <algorithm>
#include <utility>

#include "description.h"
#include "file_reader.h"
#include "whole.h"

namespace issp::engine {
namespace {

// Tried if the file leaves the size open. It is no multiple of a window.
constexpr Size kTrial{12, 20};

// Reads the form of an image tensor. Returns the error, or an empty string.
std::string read_image(const tflite::Tensor& tensor, Image* image) {
  const std::vector<int> shape = tflite::to_vector(tensor.shape);
  if (shape.size() != 4 || shape[3] < 1) {
    return "has no 4 dimensions: batch, height, width, channels";
  }
  const tflite::IntArray* signature = tensor.shape_signature;
  const bool has_signature = signature && signature->size == 4;
  const auto size = [&](int i) {
    return has_signature && signature->data[i] < 0 ? 0 : shape[i];
  };
  // A file without a signature stores 1 for an open size.
  if (size(0) > 1) return "is a batch of images, and one is expected";
  image->size_in_file = {size(1), size(2)};
  if (!has_signature && image->size_in_file == Size{1, 1}) {
    image->size_in_file = {};
  }
  if (size(1) < 0 || size(2) < 0) return "has no size";
  image->size = image->size_in_file;
  image->channels = shape[3];
  switch (tensor.type) {
    case tflite::kFloat32:
      image->type = kPixelsFloat32;
      return "";
    case tflite::kInt8:
    case tflite::kUint8:
      image->type =
          tensor.type == tflite::kInt8 ? kPixelsInt8 : kPixelsUint8;
      break;
    default:
      return "is not float32, int8 or uint8";
  }
  const auto* affine = static_cast<const tflite::AffineQuantization*>(
      tensor.quantization.parameters);
  if (!affine || affine->scale->size != 1) return "has no scale";
  image->quantization = {affine->scale->data[0], affine->zero_point->data[0]};
  return "";
}

// Whether an image of this size fits into the address space.
bool is_addressable(const Image& image, const Size& size) {
  const uint64_t most = uint64_t{PTRDIFF_MAX} / image.channels;
  return uint64_t(size.height) * size.width <= most / bytes_of(image.type);
}

std::string text_of(const Size& size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

std::string too_large(const Size& size) {
  return "there is no memory for an image of " + text_of(size) + " pixels";
}

std::string named(const char* what, const tflite::Tensor& tensor,
                  const std::string& error) {
  if (error.empty()) return "";
  return std::string(what) + " " + (tensor.name ? tensor.name : "") + " " +
         error;
}

}  // namespace

Session::Session(std::vector<uint64_t> file, size_t bytes,
                 const Options& options)
    : words_(std::move(file)),
      bytes_(bytes),
      options_(options),
      pool_(options.threads > 0 ? options.threads : usable_cores()) {}

Bytes Session::file() const {
  return {reinterpret_cast<const uint8_t*>(words_.data()), bytes_};
}

std::string Session::open() {
  std::string error = read_file(file(), &graph_);
  if (error.empty()) error = read_ends(graph_);
  if (!error.empty()) return error;
  error = build_whole(&graph_, &part_);
  if (error.empty()) {
    error = check_ends(part_.network);
    return error.empty() ? make_plan(input_.size_in_file) : error;
  }
  // The graph may compute sizes itself. Then it is built for one size at a
  // time.
  builds_for_each_size_ = true;
  const bool is_open = input_.size_in_file == Size{};
  error = build_of_size(is_open ? kTrial : input_.size_in_file, &part_);
  return error.empty() ? make_plan(input_.size_in_file) : error;
}

std::string Session::read_ends(const GraphCopy& graph) {
  if (graph.inputs().size() != 1 || graph.outputs().size() != 1) {
    return "it takes " + std::to_string(graph.inputs().size()) +
           " tensors and makes " + std::to_string(graph.outputs().size()) +
           ", and one image each is expected";
  }
  const tflite::Tensor& in = graph.tensor(graph.inputs()[0]);
  const tflite::Tensor& out = graph.tensor(graph.outputs()[0]);
  std::string error = named("its input", in, read_image(in, &input_));
  if (error.empty()) {
    error = named("its output", out, read_image(out, &output_));
  }
  const Size& size = input_.size_in_file;
  const bool is_half_open = !size.height != !size.width;
  if (error.empty() && is_half_open) return "it leaves only one side open";
  return error;
}

// Compares the images of a network with those that the file declares. The
// caller allocates the declared ones.
std::string Session::check_ends(const Network& network) const {
  for (const Operation& of : network.operations) {
    const bool is_input = of.kind == Operation::kInput;
    if (!is_input && of.kind != Operation::kOutput) continue;
    const Image& image = is_input ? input_ : output_;
    const int value = is_input ? of.output : of.input;
    const int channels = network.values[value].channels;
    const std::string name = is_input ? "its input" : "its output";
    if (channels != image.channels) {
      return name + " has " + std::to_string(channels) +
             " channels, and the file says " + std::to_string(image.channels);
    }
    if (of.pixels != image.type) {
      return name + " has another type than the file says";
    }
  }
  return "";
}

std::string Session::build_of_size(const Size& size, Part* part) const {
  const std::string error = build_whole(
      graph_, {1, size.height, size.width, input_.channels}, part);
  return error.empty() ? check_ends(part->network) : error;
}

std::string Session::resize(const Size& size) {
  const std::string pixels = text_of(size);
  if (size.height < 1 || size.width < 1) {
    return "an image has at least one pixel, not " + pixels;
  }
  const Size& only = input_.size_in_file;
  if (only != Size{} && only != size) {
    return "it only takes " + text_of(only) + " pixels, not " + pixels;
  }
  if (plan_ && input_.size == size) return "";
  if (!is_addressable(input_, size)) return too_large(size);
  if (builds_for_each_size_) {
    Part part;
    const std::string error = build_of_size(size, &part);
    if (!error.empty()) return error;
    // The plan refers to the old network.
    plan_.reset();
    part_ = std::move(part);
  }
  return make_plan(size);
}

// Makes no plan if the size is still open.
std::string Session::make_plan(const Size& size) {
  plan_.reset();
  input_.size = output_.size = {};
  if (size == Size{}) return "";
  if (!is_addressable(input_, size)) return too_large(size);
  std::string error;
  auto plan = std::make_unique<Plan>(part_.network, std::vector<Size>{size},
                                     settings_of(options_, pool_.size()),
                                     &pool_, &arena_, &error);
  if (!error.empty()) return error;
  Size made;
  for (const Operation& of : part_.network.operations) {
    if (of.kind == Operation::kOutput) made = plan->size(of.input);
  }
  if (!is_addressable(output_, made)) return too_large(size);
  plan_ = std::move(plan);
  input_.size = size;
  output_.size = made;
  seconds_.assign(part_.network.operations.size(), 0);
  runs_ = 0;
  return "";
}

bool Session::run(const void* input, void* output) {
  if (!plan_) return false;
  plan_->run(&input, &output, options_.profile ? seconds_.data() : nullptr);
  ++runs_;
  return true;
}

std::string Session::describe() const {
  return std::string("{\"kernels\": ") + quoted(options_.kernels->name) +
         ", \"threads\": " + std::to_string(pool_.size()) + ", \"part\": " +
         issp::describe(part_, plan_.get(), seconds_, runs_) + "}";
}

}  // namespace issp::engine
