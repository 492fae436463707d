#include "kernels.h"

#include <cstring>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace issp {

#ifdef __x86_64__
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
#endif
#ifdef __aarch64__
namespace neon {
extern const Kernels kernels;
}
namespace neon_float16 {
extern const Kernels kernels;
}

namespace {

// Whether the CPU computes with float16, one by one and in vectors.
bool has_float16() {
#ifdef __linux__
  constexpr unsigned long kFphp = 1 << 9;  // HWCAP_FPHP
  constexpr unsigned long kAsimdhp = 1 << 10;  // HWCAP_ASIMDHP
  constexpr unsigned long kBoth = kFphp | kAsimdhp;
  return (getauxval(AT_HWCAP) & kBoth) == kBoth;
#else
  return false;
#endif
}

}  // namespace
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
#ifdef __aarch64__
  // Less precise, so that it is never taken by itself.
  if (name && fits(neon_float16::kernels) && has_float16()) {
    return &neon_float16::kernels;
  }
  if (fits(neon::kernels)) return &neon::kernels;
#endif
  return fits(portable::kernels) ? &portable::kernels : nullptr;
}

}  // namespace issp
