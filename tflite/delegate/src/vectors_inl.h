// Vectors of `ISSP_LANES` numbers.

namespace {

using Scalar = ISSP_SCALAR;
constexpr int kLanes = ISSP_LANES;
constexpr size_t kBytes = kLanes * sizeof(Scalar);

typedef Scalar Vector __attribute__((vector_size(kBytes), may_alias));

#define ISSP_INLINE inline __attribute__((always_inline))

// Unrolls the next loop fully, at any optimization level. This keeps its values
// in registers.
#ifdef __clang__
#define ISSP_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ISSP_UNROLL _Pragma("GCC unroll 32")
#endif

ISSP_INLINE Vector load(const char* from) {
  return *reinterpret_cast<const Vector*>(from);
}

ISSP_INLINE void store(char* to, Vector vector) {
  *reinterpret_cast<Vector*>(to) = vector;
}

// Reads numbers of the runtime, which may be unaligned.
ISSP_INLINE Vector read(const float* from) {
  Vector vector;
  if constexpr (sizeof(Scalar) == sizeof(float)) {
    __builtin_memcpy(&vector, from, kBytes);
  } else {
    ISSP_UNROLL
    for (int l = 0; l < kLanes; ++l) vector[l] = Scalar(from[l]);
  }
  return vector;
}

ISSP_INLINE void write(float* to, Vector vector) {
  if constexpr (sizeof(Scalar) == sizeof(float)) {
    __builtin_memcpy(to, &vector, kBytes);
  } else {
    ISSP_UNROLL
    for (int l = 0; l < kLanes; ++l) to[l] = float(vector[l]);
  }
}

// The list of f(lane) for all lanes.
#if ISSP_LANES == 16
#define ISSP_LIST(f)                                                      \
  f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), \
      f(12), f(13), f(14), f(15)
#elif ISSP_LANES == 8
#define ISSP_LIST(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define ISSP_LIST(f) f(0), f(1), f(2), f(3)
#endif

// A number in all lanes. `Vector{} + x` would round to float32 on the way, for
// GCC's float16.
ISSP_INLINE Vector spread(Scalar x) {
#define ISSP_SAME(lane) x
  return Vector{ISSP_LIST(ISSP_SAME)};
#undef ISSP_SAME
}

ISSP_INLINE Vector all(float value) { return spread(Scalar(value)); }

// Hides from the compiler that a vector is constant. For constants, GCC
// computes a maximum in two steps.
ISSP_INLINE Vector unknown(Vector x) {
#ifdef __x86_64__
  asm("" : "+x"(x));
#endif
  return x;
}

// Sums of many numbers are always in float32.
typedef float Wide __attribute__((vector_size(kLanes * sizeof(float))));

ISSP_INLINE Wide widen(Vector x) { return __builtin_convertvector(x, Wide); }

ISSP_INLINE Vector clamp(Vector x, float low, float high) {
  // NaN stays NaN.
  const Vector least = all(low), most = all(high);
  x = least > x ? least : x;
  return most < x ? most : x;
}

// Lane l of the result is number f(l) of the lanes of `x` followed by those of
// `y`.
#if defined(__clang__) || __GNUC__ >= 12
#define ISSP_SHUFFLE(x, y, f) __builtin_shufflevector(x, y, ISSP_LIST(f))
#else
typedef ISSP_LANE Lanes __attribute__((vector_size(kBytes)));
#define ISSP_SHUFFLE(x, y, f) __builtin_shuffle(x, y, Lanes{ISSP_LIST(f)})
#endif

}  // namespace
