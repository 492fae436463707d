// How a network is computed for images of one size.
//
// Operations are cut into groups, and a group computes the image band by band:
// some rows of its first operation, those rows of the next that can be made of
// them, and so on. What stays inside a group needs memory for a few rows only,
// so that it stays in the cache; what leaves it is kept whole. The steps, with
// all addresses, are written down once.

#ifndef ISSP_PLAN_H_
#define ISSP_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "kernels.h"
#include "network.h"
#include "thread_pool.h"

namespace issp {

struct Settings {
  const Kernels* kernels;
  size_t cache_bytes = 1 << 20;  // That a band may take.
  double tuning_seconds = 0.1;      // At most, for a plan.
  bool all_threads = false;         // Also where one is faster.
};

class Plan {
 public:
  // Args: `sizes`, of the images of the operations `kInput`, in their order.
  // What computes and where it has its memory must outlive the plan. `error`
  // becomes what forbids it, and the plan must not be run then.
  Plan(const Network& network, const std::vector<Size>& sizes,
       const Settings& settings, ThreadPool* pool, Arena* arena,
       std::string* error);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // Why no plan can be made for images of these sizes nor of others that are
  // like them, or nothing.
  static std::string conflict(const Network& network,
                              const std::vector<Size>& sizes,
                              const Settings& settings);

  Size size(int value) const { return images_[value].size; }
  size_t bytes() const { return arena_bytes_; }
  const ThreadPool& pool() const { return *pool_; }
  int groups() const { return int(groups_.size()); }

  // How an operation is computed, as members of a JSON object.
  std::string describe(int operation) const;

  // Computes one image. Args: pixels of `kInput` and `kOutput` operations, by
  // their `tensor`, channels last; and where the seconds of each operation are
  // added, or null.
  void run(const float* const* inputs, float* const* outputs,
           double* seconds = nullptr);

 private:
  struct Image {
    int channels = 0;
    Size size;
    int strip = 0;
    int left = 0;    // Vectors beside each row.
    int right = 0;
    int zeros = 0;   // Pixels behind each row that must be zero.
    int top = 0;     // Rows of zeros above and below.
    int bottom = 0;
    size_t channel = 0;
    size_t row = 0;
    int capacity = 0;  // Rows in memory.
    // Whether each band uses up all rows that it makes.
    bool passes = false;
    int first = -1;  // Operation, which makes it.
    int last = -1;   // Which uses it.
    int first_group = -1;
    int last_group = -1;
    size_t offset = 0;
  };
  struct Program;
  struct Step;
  struct Group {
    int begin;
    int end;
    int rows;  // Of the last operation, in a band.
  };
  class Bands;

  Plan(const Network& network, const Settings& settings, ThreadPool* pool,
       Arena* arena);
  bool measure(const std::vector<Size>& sizes, std::string* error);
  bool is_pixel_of(const Operation& of, const Post& post) const;
  bool set_strips(std::string* error);
  void set_margins();
  bool has_addresses(std::string* error) const;
  void set_used();
  void set_lives();
  void set_groups();
  bool meet(const Image& a, const Image& b) const;
  void allocate();
  void write_steps();
  void lower(int operation);
  void lower(int operation, int group, const std::vector<int>& outputs);
  void set_threads();
  void tune(double seconds);
  std::pair<int, int> fastest_tile(const Step& step, Program* program,
                                   double end);
  double time_tile(const Step& step, Program* program, int rows, int vectors);
  void execute(const Step& step, int thread);
  void repeat(const Step& step);
  void fill(const Step& step, int thread);
  void execute_sums(const Step& step, const Program& program, int thread);
  void run_tile(const Step& step, const Program& program, int row, int rows,
                int vector, int vectors);
  void run_steps(int thread);
  int64_t place(int value, int row, int origin) const;
  char* at(int64_t place) const { return arena_->data() + place; }

  const Network& network_;
  const Settings settings_;
  ThreadPool* pool_;
  int threads_ = 1;
  std::vector<Image> images_;
  std::vector<Padding> paddings_;  // By operation, in pixels.
  std::vector<std::vector<bool>> used_;  // Channels, by value.
  std::vector<Group> groups_;
  // By operation, of which each computes some outputs.
  std::vector<std::vector<Program>> programs_;
  std::vector<Step> steps_;
  Arena* arena_;
  size_t arena_bytes_ = 0;
  bool has_arena_ = false;
  std::vector<double> sums_;  // Of `kMean`.
  std::vector<float> means_;
  const float* const* inputs_ = nullptr;
  float* const* outputs_ = nullptr;
  double* seconds_ = nullptr;
};

}  // namespace issp

#endif  // ISSP_PLAN_H_
