// A network from a file. It is ready for images of one size at a time.

#ifndef ISSP_SESSION_H_
#define ISSP_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "flatbuffer.h"
#include "graph_copy.h"
#include "options.h"
#include "part.h"
#include "plan.h"
#include "thread_pool.h"

namespace issp::engine {

// The input or output of a network. A size of 0 is open.
struct Image {
  Size size_in_file;
  Size size;
  int channels = 0;
  PixelType type = kPixelsFloat32;
  Quantization quantization;
};

class Session {
 public:
  // `file` holds the bytes of a `.tflite` file.
  Session(std::vector<uint64_t> file, size_t bytes, const Options& options);

  // Reads the file. Returns the error, or an empty string.
  std::string open();

  const Image& input() const { return input_; }
  const Image& output() const { return output_; }
  const Network& network() const { return part_.network; }

  // Prepares for images of a size. Returns the error, or an empty string. After
  // an error, do not call `run` before another size fits.
  std::string resize(const Size& size);

  // Computes one image, channels last. Returns whether a size is set.
  bool run(const void* input, void* output);

  // Describes the network and its plan, as JSON.
  std::string describe() const;

 private:
  Bytes file() const;
  std::string read_ends(const GraphCopy& graph);
  std::string check_ends(const Network& network) const;
  std::string build_of_size(const Size& size, Part* part) const;
  std::string make_plan(const Size& size);

  std::vector<uint64_t> words_;  // Words, to align numbers in the file.
  size_t bytes_;
  GraphCopy graph_;
  Options options_;
  Image input_;
  Image output_;
  bool builds_for_each_size_ = false;
  Part part_;
  Arena arena_;
  ThreadPool pool_;
  std::unique_ptr<Plan> plan_;
  std::vector<double> seconds_;  // By operation, of all runs.
  int runs_ = 0;
};

}  // namespace issp::engine

#endif  // ISSP_SESSION_H_
