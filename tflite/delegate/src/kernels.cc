#include "kernels.h"

#include <cstring>

#ifdef __x86_64__
#include <cpuid.h>
#endif
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

namespace {

#ifdef __x86_64__

// What the CPU has and the system keeps. `__builtin_cpu_supports` would need a
// part of the compiler's library that not all compilers have.
struct Features {
  bool avx2 = false;
  bool avx512 = false;
};

Features features() {
  constexpr unsigned kFma = 1u << 12, kXsave = 1u << 27, kAvx = 1u << 28;
  constexpr unsigned kAvx2 = 1u << 5;
  constexpr unsigned kAvx512 =  // F, DQ, BW and VL.
      1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  constexpr unsigned kYmm = 0x6, kZmm = 0xe6;  // Registers that are kept.
  Features found;
  unsigned a, b, c, d;
  constexpr unsigned kFirst = kFma | kXsave | kAvx;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kFirst) != kFirst) return found;
  unsigned kept, high;
  asm volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx2 = (kept & kYmm) == kYmm && (b & kAvx2);
  found.avx512 =
      found.avx2 && (kept & kZmm) == kZmm && (b & kAvx512) == kAvx512;
  return found;
}

#endif

}  // namespace

const Kernels* find_kernels(const char* name) {
  const auto fits = [&](const Kernels& kernels) {
    return !name || !std::strcmp(name, kernels.name);
  };
#ifdef __x86_64__
  const Features cpu = features();
  if (cpu.avx512 && fits(avx512::kernels)) return &avx512::kernels;
  if (cpu.avx2 && fits(avx2::kernels)) return &avx2::kernels;
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
