// Copies pixels from arbitrary places of another image.

namespace {

// Vectors whose offsets stay in the L1 cache for all channels.
constexpr int kArrangedAtOnce = 32;

ISSP_INLINE Vector gather(const char* input, const int32_t* offsets) {
#define ISSP_FROM(l) *reinterpret_cast<const Scalar*>(input + offsets[l])
  return Vector{ISSP_LIST(ISSP_FROM)};
#undef ISSP_FROM
}

// Like `gather`, with a zero for each offset below 0.
ISSP_INLINE Vector gather_some(const char* input, const int32_t* offsets) {
  Vector x{};
  for (int l = 0; l < kLanes; ++l) {
    if (offsets[l] < 0) continue;
    x[l] = *reinterpret_cast<const Scalar*>(input + offsets[l]);
  }
  return x;
}

void arrange_some(const Arranged& of, int first, int vectors) {
  const int32_t* offsets = of.offsets + first * static_cast<ptrdiff_t>(kLanes);
  bool has_zeros[kArrangedAtOnce];
  for (int v = 0; v < vectors; ++v) {
    has_zeros[v] = false;
    for (int l = 0; l < kLanes; ++l) {
      has_zeros[v] |= offsets[v * kLanes + l] < 0;
    }
  }
  const char* input = of.input;
  char* output = of.output + first * static_cast<ptrdiff_t>(kBytes);
  for (int c = 0; c < of.channels; ++c) {
    for (int v = 0; v < vectors; ++v) {
      const int32_t* from = offsets + v * kLanes;
      store(output + v * kBytes, has_zeros[v] ? gather_some(input, from)
                                              : gather(input, from));
    }
    input += of.input_channel;
    output += of.output_channel;
  }
}

void arrange(const Arranged& of) {
  for (int first = 0; first < of.vectors; first += kArrangedAtOnce) {
    const int left = of.vectors - first;
    arrange_some(of, first, left < kArrangedAtOnce ? left : kArrangedAtOnce);
  }
}

}  // namespace
