// The options of a delegate, which are texts.

#ifndef ISSP_OPTIONS_H_
#define ISSP_OPTIONS_H_

#include <cstddef>
#include <string>

#include "kernels.h"
#include "plan.h"

namespace issp {

// As `tflite_plugin_create_delegate` has them.
struct Options {
  int threads = 0;  // As the runtime recommends.
  double min_sparsity = 0.3;
  // Takes parts and uses threads even where no gain is expected.
  bool always = false;
  double tuning_seconds = 0.1;
  size_t cache_bytes = 0;  // As the CPU has.
  const Kernels* kernels = nullptr;
  bool float16 = false;  // Where the CPU computes with it.
  bool profile = false;
};

// Returns what was expected of an option, or nothing.
std::string set_option(const std::string& key, const char* value,
                       Options* options);

// Chooses the kernels, if no option has named them.
void set_kernels(Options* options);

// How plans are made for so many threads.
Settings settings_of(const Options& options, int threads);

}  // namespace issp

#endif  // ISSP_OPTIONS_H_
