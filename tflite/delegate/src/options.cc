#include "options.h"

#include <unistd.h>

#include <algorithm>
#include <locale>
#include <sstream>

namespace issp {
namespace {

// Bytes for a band. Of 0.5 to 8 times the L2 cache of a core, 3 times was the
// fastest with one and two threads. More threads get more.
size_t cache_of_cpu(int threads) {
  long bytes = -1;
#ifdef _SC_LEVEL2_CACHE_SIZE
  bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  return std::max(threads, 3) * (bytes > 0 ? size_t(bytes) : 512 * 1024);
}

// The format of numbers does not depend on the locale.
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

}  // namespace

// Sets an option. Returns what was expected, or an empty string.
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

void set_kernels(Options* options) {
  // The option that names kernels has priority.
  if (!options->kernels && options->float16) {
    options->kernels = find_kernels("neon_float16");
  }
  if (!options->kernels) options->kernels = find_kernels(nullptr);
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

}  // namespace issp
