// A delegate: its changes to a graph, and the state that its nodes share.

#ifndef ISSP_DELEGATE_H_
#define ISSP_DELEGATE_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "options.h"
#include "part.h"
#include "tflite_abi.h"
#include "thread_pool.h"

namespace issp {

struct Kernel;

// The state that the delegate and its nodes share. It lives until the last of
// them is freed, in any order.
struct State {
  tflite::Delegate delegate{};
  Options options;
  std::string refusal;  // Why it refuses all graphs, or empty.
  std::atomic<int> holders{1};
  std::mutex applying;  // One graph at a time; locked before `mutex`.
  std::mutex mutex;     // For the members below.
  std::map<int, std::unique_ptr<ThreadPool>> pools;  // By threads.
  Arena arena;  // Its mutex also guards the threads.
  // The parts of nodes to be made, with the nodes that they replace.
  std::vector<std::pair<std::vector<int>, std::vector<Part>>> parts;
  std::set<Kernel*> nodes;
  // The reasons why nodes of the last loaded file are not taken. One map for
  // each graph, by node.
  std::vector<std::map<int, std::string>> declined;
  const void* file = nullptr;  // Equal for all of its graphs.
  std::set<const void*> graphs;
  std::string report;
};

// A new delegate with one holder.
State* new_state(const Options& options);

void let_go(State* state);

}  // namespace issp

#endif  // ISSP_DELEGATE_H_
