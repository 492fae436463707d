#include "kernels.h"

#include <cstring>

namespace issp {

#ifdef __x86_64__
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
#endif
namespace portable {
extern const Kernels kernels;
}

const Kernels* find_kernels(const char* name) {
  const auto fits = [&](const Kernels& kernels) {
    return !name || !std::strcmp(name, kernels.name);
  };
#ifdef __x86_64__
  if (fits(avx512::kernels) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq")) {
    return &avx512::kernels;
  }
  if (fits(avx2::kernels) && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &avx2::kernels;
  }
#endif
  return fits(portable::kernels) ? &portable::kernels : nullptr;
}

}  // namespace issp
