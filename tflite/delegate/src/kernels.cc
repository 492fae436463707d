#include "kernels.h"

#include "int8_kernels.h"

#include <cstring>
#include <vector>

#ifdef __x86_64__
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace issp {

#define ISSP_KERNELS(type, name) \
  namespace name {               \
  extern const type kernels;     \
  }
#ifdef __x86_64__
ISSP_KERNELS(Kernels, avx512)
ISSP_KERNELS(Kernels, avx2)
ISSP_KERNELS(Int8Kernels, int8_avx512_vnni)
ISSP_KERNELS(Int8Kernels, int8_avx512)
ISSP_KERNELS(Int8Kernels, int8_avx_vnni)
ISSP_KERNELS(Int8Kernels, int8_avx2)
ISSP_KERNELS(Int8Kernels, int8_sse4)
#endif
#ifdef __aarch64__
ISSP_KERNELS(Kernels, neon)
ISSP_KERNELS(Kernels, neon_float16)
ISSP_KERNELS(Int8Kernels, int8_neon_i8mm)
ISSP_KERNELS(Int8Kernels, int8_neon_dotprod)
ISSP_KERNELS(Int8Kernels, int8_neon)
#endif
ISSP_KERNELS(Kernels, portable)
ISSP_KERNELS(Int8Kernels, int8_portable)
#undef ISSP_KERNELS

namespace {

#ifdef __x86_64__

// The features that the CPU has and the system supports.
// `__builtin_cpu_supports` would need a runtime library that not all compilers
// have.
struct Features {
  bool sse4 = false;
  bool avx2 = false;
  bool avx_vnni = false;
  bool avx512 = false;
  bool avx512_vnni = false;
};

Features features() {
  constexpr unsigned kFma = 1u << 12, kXsave = 1u << 27, kAvx = 1u << 28;
  constexpr unsigned kSse4 = 1u << 19, kAvx2 = 1u << 5, kAvxVnni = 1u << 4;
  constexpr unsigned kAvx512Vnni = 1u << 11;
  constexpr unsigned kAvx512 =  // F, DQ, BW and VL.
      1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  constexpr unsigned kYmm = 0x6, kZmm = 0xe6;  // Registers to be saved.
  Features found;
  unsigned a, b, c, d;
  constexpr unsigned kFirst = kFma | kXsave | kAvx;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  found.sse4 = c & kSse4;
  if ((c & kFirst) != kFirst) return found;
  unsigned kept, high;
  asm volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx2 = (kept & kYmm) == kYmm && (b & kAvx2);
  found.avx512 =
      found.avx2 && (kept & kZmm) == kZmm && (b & kAvx512) == kAvx512;
  found.avx512_vnni = found.avx512 && (c & kAvx512Vnni);
  if (a < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return found;
  found.avx_vnni = found.avx2 && (a & kAvxVnni);
  return found;
}

#endif

#ifdef __aarch64__

struct Features {
  bool float16 = false;  // For scalars and vectors.
  bool dotprod = false;
  bool i8mm = false;
};

Features features() {
  Features found;
#ifdef __linux__
  constexpr unsigned long kFphp = 1 << 9;  // HWCAP_FPHP
  constexpr unsigned long kAsimdhp = 1 << 10;  // HWCAP_ASIMDHP
  constexpr unsigned long kBoth = kFphp | kAsimdhp;
  constexpr unsigned long kDotprod = 1 << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kI8mm = 1 << 13;  // HWCAP2_I8MM
  const unsigned long first = getauxval(AT_HWCAP);
  found.float16 = (first & kBoth) == kBoth;
  found.dotprod = first & kDotprod;
  found.i8mm = getauxval(AT_HWCAP2) & kI8mm;
#elif defined(__APPLE__)
  // All supported devices have it.
  found.dotprod = true;
#endif
  return found;
}

#endif

// Combines kernels of float32 and int8, with the name of the latter.
Kernels with(const Kernels& of, const Int8Kernels& int8) {
  Kernels both = of;
  both.name = int8.name;
  both.int8 = &int8;
  return both;
}

// All kernels that this CPU runs, the fastest first.
std::vector<Kernels> runnable() {
  std::vector<Kernels> all;
#ifdef __x86_64__
  const Features cpu = features();
  if (cpu.avx512_vnni) {
    all.push_back(with(avx512::kernels, int8_avx512_vnni::kernels));
  }
  if (cpu.avx512) all.push_back(with(avx512::kernels, int8_avx512::kernels));
  if (cpu.avx_vnni) all.push_back(with(avx2::kernels, int8_avx_vnni::kernels));
  if (cpu.avx2) all.push_back(with(avx2::kernels, int8_avx2::kernels));
  if (cpu.sse4) all.push_back(with(portable::kernels, int8_sse4::kernels));
#endif
#ifdef __aarch64__
  const Features cpu = features();
  if (cpu.i8mm) all.push_back(with(neon::kernels, int8_neon_i8mm::kernels));
  if (cpu.dotprod) {
    all.push_back(with(neon::kernels, int8_neon_dotprod::kernels));
  }
  all.push_back(with(neon::kernels, int8_neon::kernels));
  // These are less precise, so they are never the default.
  if (cpu.float16) all.push_back(neon_float16::kernels);
#endif
  all.push_back(with(portable::kernels, int8_portable::kernels));
  return all;
}

}  // namespace

const Kernels* find_kernels(const char* name) {
  static const std::vector<Kernels> all = runnable();
  if (!name) return &all.front();
  for (const Kernels& kernels : all) {
    if (!std::strcmp(name, kernels.name)) return &kernels;
  }
  return nullptr;
}

}  // namespace issp
