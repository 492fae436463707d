// Executes the steps of a plan.

#ifndef ISSP_EXECUTE_H_
#define ISSP_EXECUTE_H_

#include <cstdint>
#include <vector>

#include "arena.h"
#include "int8_kernels.h"
#include "kernels.h"
#include "layout.h"
#include "network.h"
#include "program.h"
#include "schedule.h"
#include "share.h"
#include "window_program.h"

namespace issp {

// The tensors of the runtime, by their number in the network.
struct Ends {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
};

class Executor {
 public:
  // All arguments must outlive the executor. Images are in the arena.
  Executor(const Network& network, const Layout& layout,
           const std::vector<std::vector<Program>>& programs,
           const std::vector<WindowProgram>& windows, const Kernels& kernels,
           const Arena& arena, int threads);

  // Executes a step of a thread, in a turn of its loop. `share` is the thread's
  // part of a mean.
  void execute(const Step& step, int turn, const Share& share,
               const Ends& ends);

  // Computes one program of a step.
  void compute(const Step& step, int turn, const Program& program) const;

 private:
  void run_tile(const Step& step, int turn, const Program& program, int row,
                int rows, int vector, int vectors) const;
  void run_int8_tile(const Step& step, int turn, const Program& program,
                     int row, int rows, int first, int vectors) const;
  template <class Of>
  Of tile_of(const Step& step, int turn, const Program& program, int row,
             int first) const;
  template <class Post, class Run>
  void run_posts(const Step& step, int turn, const Program& program,
                 const std::vector<Post>& posts, int row, int first,
                 const Run& run) const;
  void make(const Operation& of, const Program& program, int rows, int vectors,
            Sums* tile) const;
  void convert(const Step& step, int turn, const Ends& ends) const;
  void convert_int8(const Step& step, int turn, const Ends& ends) const;
  void arrange(const Step& step, int turn) const;
  void attend(const Step& step, int turn, int thread);
  void mean(const Step& step, int turn, const Share& share);
  void mean_int8(const Step& step, int turn, const Share& share);
  Row row_of(const Image& image) const;
  Int8Row int8_row_of(int value, bool packs) const;
  char* at(int64_t place) const { return arena_.data() + place; }

  const Network& network_;
  const Layout& layout_;
  const std::vector<std::vector<Program>>& programs_;
  const std::vector<WindowProgram>& windows_;
  const Kernels& kernels_;
  const Arena& arena_;
  struct alignas(64) Line {
    char bytes[64];
  };
  size_t scratch_lines_;       // For each thread.
  std::vector<Line> scratch_;  // For `kAttention`.
  std::vector<double> sums_;  // For `kMean`.
  std::vector<int64_t> int8_sums_;
  std::vector<float> means_;
};

}  // namespace issp

#endif  // ISSP_EXECUTE_H_
