// Sums over images.

namespace {

void add_row(const Row& row, double* sums) {
  const int full = row.width - (kLanes - 1) * row.strip;
  for (int c = 0; c < row.channels; ++c) {
    const char* from = row.strips + c * row.channel;
    Wide sum{};
    for (int t = 0; t < row.strip; ++t) {
      Vector x = load(from + t * kBytes);
      if (t >= full) {
        for (int l = 0; l < kLanes; ++l) {
          if (l * row.strip + t >= row.width) x[l] = 0;
        }
      }
      sum += widen(x);
    }
    float total = 0;
    for (int l = 0; l < kLanes; ++l) total += sum[l];
    sums[c] += total;
  }
}

}  // namespace
