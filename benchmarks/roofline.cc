// Measures the highest speed of one core: products in registers, products with
// operands from each cache, and bytes from memory. If the CPU has instructions
// for dot products of bytes, it also measures these. Prints JSON.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#ifdef __AVX512VNNI__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(4 * kLanes), may_alias));
#ifdef __x86_64__
#define ISSP_REGISTER(vector) "+v"(vector)
#else
#define ISSP_REGISTER(vector) "+w"(vector)
#endif

// Sums at the same time, enough to hide how long one takes.
constexpr int kSums = 12;

static double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

static float total(const Vector* sums) {
  float sum = 0;
  for (int i = 0; i < kSums; ++i) sum += sums[i][0];
  return sum;
}

// GFLOP/s of products in registers.
static double registers() {
  Vector sums[kSums] = {};
  const Vector weight = Vector{} + 1e-9f;
  Vector value = Vector{} + 0.5f;
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const double begin = now();
    constexpr int kTimes = 2000000;
    for (int i = 0; i < kTimes; ++i) {
      for (int k = 0; k < kSums; ++k) sums[k] += weight * value;
      // So that the compiler does not multiply once for all.
      asm volatile("" : ISSP_REGISTER(value));
    }
    const double flops = 2.0 * kTimes * kSums * kLanes;
    const double rate = flops / (now() - begin) / 1e9;
    if (rate > best) best = rate;
  }
  volatile float sink = total(sums);
  (void)sink;
  return best;
}

// GFLOP/s of products whose one operand comes from `bytes` of memory, `shift`
// bytes off a vector's alignment.
static double loads(size_t bytes, size_t shift) {
  char* memory =
      static_cast<char*>(std::aligned_alloc(4096, bytes + 4096));
  for (size_t i = 0; i < bytes + 4096; ++i) memory[i] = 0;
  typedef Vector Loose __attribute__((aligned(4)));
  const size_t step = kSums * sizeof(Vector);
  const size_t count = (bytes - 64) / step;
  const int times = int(2e9 / (count * step)) + 1;
  Vector sums[kSums] = {};
  const Vector weight = Vector{} + 1e-9f;
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const double begin = now();
    for (int t = 0; t < times; ++t) {
      const char* at = memory + shift;
      for (size_t i = 0; i < count; ++i, at += step) {
        for (int k = 0; k < kSums; ++k) {
          sums[k] +=
              weight * reinterpret_cast<const Loose*>(at)[k];
        }
      }
      asm volatile("" ::: "memory");
    }
    const double flops = 2.0 * times * count * kSums * kLanes;
    const double rate = flops / (now() - begin) / 1e9;
    if (rate > best) best = rate;
  }
  volatile float sink = total(sums);
  (void)sink;
  std::free(memory);
  return best;
}

// G multiply-adds/s of bytes, in registers or with one operand from so many
// bytes of memory; 0 without such instructions.
static double dot_products(size_t bytes) {
#ifdef __AVX512VNNI__
  char* memory = static_cast<char*>(std::aligned_alloc(4096, bytes + 4096));
  for (size_t i = 0; i < bytes + 4096; ++i) memory[i] = 1;
  constexpr size_t kVector = 64;
  const size_t count = bytes / (kSums * kVector);
  const int times = int(4e9 / double((count ? count : 1) * kSums * kVector));
  __m512i sums[kSums] = {};
  const __m512i weight = _mm512_set1_epi32(0x01ff02fe);
  __m512i value = _mm512_set1_epi32(0x7f017f02);
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const double begin = now();
    for (int t = 0; t < times; ++t) {
      const char* at = memory;
      for (size_t i = 0; i < (count ? count : 1); ++i) {
        for (int k = 0; k < kSums; ++k, at += kVector) {
          const __m512i x = count ? _mm512_load_si512(at) : value;
          sums[k] = _mm512_dpbusd_epi32(sums[k], x, weight);
        }
        asm volatile("" : "+v"(value));
      }
      asm volatile("" ::: "memory");
    }
    const double products =
        double(times) * double(count ? count : 1) * kSums * kVector;
    const double rate = products / (now() - begin) / 1e9;
    if (rate > best) best = rate;
  }
  int total = 0;
  for (const __m512i& sum : sums) total += _mm512_reduce_add_epi32(sum);
  volatile int sink = total;
  (void)sink;
  std::free(memory);
  return best;
#else
  (void)bytes;
  return 0;
#endif
}

int main() {
  std::printf(
      "{\"lanes\": %d, \"registers\": %.1f, \"l1_aligned\": %.1f, "
      "\"l1_unaligned\": %.1f, \"l2\": %.1f, \"l3\": %.1f, \"memory\": %.1f, "
      "\"int8_registers\": %.1f, \"int8_l1\": %.1f}\n",
      kLanes, registers(), loads(16 << 10, 0), loads(16 << 10, 4),
      loads(384 << 10, 0), loads(6 << 20, 0), loads(256 << 20, 0),
      dot_products(0), dot_products(16 << 10));
}
