// A node of the runtime that computes parts of a graph.

#ifndef ISSP_NODE_H_
#define ISSP_NODE_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "part.h"
#include "plan.h"
#include "tflite_abi.h"
#include "thread_pool.h"

namespace issp {

struct State;

// One part of a graph, for images of one size.
struct Job {
  Part part;
  std::unique_ptr<Plan> plan;
  std::vector<int> shape;  // Image shape of its network.
  std::vector<Size> sizes;
  int batch = 0;
  int runs = 0;
  std::vector<double> seconds;  // By operation, of all runs.
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::vector<size_t> input_steps;  // Bytes of an image.
  std::vector<size_t> output_steps;
};

struct Kernel {
  State* state;
  std::vector<Job> jobs;
  ThreadPool* pool = nullptr;
};

// The functions with which the runtime makes such nodes.
tflite::Registration registration();

}  // namespace issp

#endif  // ISSP_NODE_H_
