// Pixels that come from anywhere in another image.

namespace {

void arrange(const Arranged& of) {
  for (int v = 0; v < of.vectors; ++v) {
    const int32_t* offsets = of.offsets + v * kLanes;
    const char* input = of.input;
    char* output = of.output + v * static_cast<ptrdiff_t>(kBytes);
    bool has_zeros = false;
    for (int l = 0; l < kLanes; ++l) has_zeros |= offsets[l] < 0;
    for (int c = 0; c < of.channels; ++c) {
      Vector x{};
      if (has_zeros) {
        for (int l = 0; l < kLanes; ++l) {
          if (offsets[l] < 0) continue;
          x[l] = *reinterpret_cast<const Scalar*>(input + offsets[l]);
        }
      } else {
#define ISSP_FROM(l) *reinterpret_cast<const Scalar*>(input + offsets[l])
        x = Vector{ISSP_LIST(ISSP_FROM)};
#undef ISSP_FROM
      }
      store(output, x);
      input += of.input_channel;
      output += of.output_channel;
    }
  }
}

}  // namespace
