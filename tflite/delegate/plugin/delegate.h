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
  // What was not taken of the file that was loaded last, and why: by node, of
  // each graph of the file.
  std::vector<std::map<int, std::string>> declined;
  const void* file = nullptr;  // Something that is the same for its graphs.
  std::set<const void*> graphs;
  std::string report;
};


// A delegate that one holder has.
State* new_state(const Options& options);

void let_go(State* state);

}  // namespace issp

#endif  // ISSP_DELEGATE_H_
