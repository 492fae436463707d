// The options of a delegate. They are given as text.

#ifndef ISSP_OPTIONS_H_
#define ISSP_OPTIONS_H_

#include <cstddef>
#include <string>

#include "kernels.h"
#include "plan.h"

namespace issp {

// The options of `tflite_plugin_create_delegate`.
struct Options {
  int threads = 0;  // 0: as the runtime recommends.
  double min_sparsity = -1;  // If negative, it depends on the part.
  // Takes parts and uses threads even if no gain is expected.
  bool always = false;
  double tuning_seconds = 0.1;
  size_t cache_bytes = 0;  // 0: chosen for the CPU.
  const Kernels* kernels = nullptr;
  bool float16 = false;  // If the CPU supports it.
  bool profile = false;
};

// Sets an option. Returns what was expected, or an empty string.
std::string set_option(const std::string& key, const char* value,
                       Options* options);

// Chooses the kernels, if no option names them.
void set_kernels(Options* options);

// The settings of plans for `threads` threads.
Settings settings_of(const Options& options, int threads);

}  // namespace issp

#endif  // ISSP_OPTIONS_H_
