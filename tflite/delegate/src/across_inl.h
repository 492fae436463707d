// Functions of all channels of a pixel.

namespace {

// Calls `visit(input, output)` with the places of each vector of channel 0;
// those of others are `offsets` and `output_offsets` behind them.
template <class Visit>
ISSP_INLINE void visit_vectors(const Sums& tile, int rows, int vectors,
                               const Visit& visit) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      visit(tile.input + r * tile.input_row + v * tile.input_vector,
            tile.output + r * tile.output_row + v * tile.output_vector);
    }
  }
}

// With the largest as 0, so that nothing is infinite.
void softmax(const Sums& tile, int rows, int vectors, float beta) {
  visit_vectors(tile, rows, vectors, [&](const char* input, char* output) {
    Vector largest = load(input + tile.offsets[0]);
    for (int c = 1; c < tile.outputs; ++c) {
      const Vector x = load(input + tile.offsets[c]);
      largest = largest < x ? x : largest;
    }
    Wide sum{};
    for (int c = 0; c < tile.outputs; ++c) {
      const Vector x = load(input + tile.offsets[c]);
      const Vector power = exponential((x - largest) * all(beta));
      store(output + tile.output_offsets[c], power);
      sum += widen(power);
    }
    for (int c = 0; c < tile.outputs; ++c) {
      char* at = output + tile.output_offsets[c];
      store(at, __builtin_convertvector(widen(load(at)) / sum, Vector));
    }
  });
}

// 1 / sqrt(x) of normal numbers: a guess of its bits, made exact by Newton's
// method.
ISSP_INLINE Wide inverse_root(Wide x) {
  typedef int Bits __attribute__((vector_size(sizeof(Wide)), may_alias));
  Wide y = (Wide)(0x5f375a86 - ((Bits)x >> 1));
  ISSP_UNROLL
  for (int i = 0; i < 4; ++i) y = y * (1.5f - 0.5f * x * y * y);
  return y;
}

void normalize(const Sums& tile, int rows, int vectors, float epsilon) {
  const float share = 1 / float(tile.outputs);
  visit_vectors(tile, rows, vectors, [&](const char* input, char* output) {
    Wide sum{};
    for (int c = 0; c < tile.outputs; ++c) {
      sum += widen(load(input + tile.offsets[c]));
    }
    const Wide mean = sum * share;
    Wide squares{};
    for (int c = 0; c < tile.outputs; ++c) {
      const Wide x = widen(load(input + tile.offsets[c])) - mean;
      squares += x * x;
    }
    const Wide scale = inverse_root(squares * share + epsilon);
    for (int c = 0; c < tile.outputs; ++c) {
      const Wide x = widen(load(input + tile.offsets[c])) - mean;
      store(output + tile.output_offsets[c],
            __builtin_convertvector(x * scale, Vector));
    }
  });
}

// By `AcrossKind`.
constexpr AcrossFunction kAcross[] = {softmax, normalize};

}  // namespace
