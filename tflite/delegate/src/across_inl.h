// Functions of all channels of a pixel.

namespace {

// Calls `visit(input, output)` with the addresses of each vector of channel 0.
// `offsets` and `output_offsets` lead from there to the other channels.
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

// Subtracts the largest value first, so that no exponential is infinite.
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

// 1 / sqrt(x) of normal numbers. Newton's method refines a guess of the bits.
ISSP_INLINE Wide inverse_root(Wide x) {
  typedef int Bits __attribute__((vector_size(sizeof(Wide)), may_alias));
  Wide y = (Wide)(0x5f375a86 - ((Bits)x >> 1));
  ISSP_UNROLL
  for (int i = 0; i < 4; ++i) y = y * (1.5f - 0.5f * x * y * y);
  return y;
}

// Normalizes several vectors together, so that none waits for its sums.
template <int kVectors>
ISSP_INLINE void normalize_some(const Sums& tile, float epsilon,
                                const char* input, char* output) {
  const float share = 1 / float(tile.outputs);
  const auto visit = [&](const auto& run) {
    for (int c = 0; c < tile.outputs; ++c) {
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        run(c, v, widen(load(input + tile.offsets[c] + v * tile.input_vector)));
      }
    }
  };
  Wide mean[kVectors] = {}, scale[kVectors] = {};
  visit([&](int, int v, Wide x) { mean[v] += x; });
  ISSP_UNROLL
  for (int v = 0; v < kVectors; ++v) mean[v] *= share;
  visit([&](int, int v, Wide x) {
    scale[v] += (x - mean[v]) * (x - mean[v]);
  });
  ISSP_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    scale[v] = inverse_root(scale[v] * share + epsilon);
  }
  visit([&](int c, int v, Wide x) {
    store(output + tile.output_offsets[c] + v * tile.output_vector,
          __builtin_convertvector((x - mean[v]) * scale[v], Vector));
  });
}

void normalize(const Sums& tile, int rows, int vectors, float epsilon) {
  for (int r = 0; r < rows; ++r) {
    const char* input = tile.input + r * tile.input_row;
    char* output = tile.output + r * tile.output_row;
    int v = 0;
    for (; v + 4 <= vectors; v += 4) {
      normalize_some<4>(tile, epsilon, input + v * tile.input_vector,
                        output + v * tile.output_vector);
    }
    for (; v < vectors; ++v) {
      normalize_some<1>(tile, epsilon, input + v * tile.input_vector,
                        output + v * tile.output_vector);
    }
  }
}

// By `AcrossKind`.
constexpr AcrossFunction kAcross[] = {softmax, normalize};
static_assert(sizeof(kAcross) == kAcrossKinds * sizeof(AcrossFunction),
              "each kind has a function");

}  // namespace
