// Attention. Lanes hold queries, and keys are processed one after the other.

namespace {

// As many sums at once as fit into the registers.
constexpr int kKeysAtOnce = ISSP_REGISTERS >= 32 ? 8 : 4;
constexpr int kValuesAtOnce = ISSP_REGISTERS >= 32 ? 10 : 4;

ISSP_INLINE Vector number_at(const char* from) {
  return spread(*reinterpret_cast<const Scalar*>(from));
}

// Products of some queries with some keys. The sums begin with the added
// values.
template <int kKeys, int kVectors>
ISSP_INLINE void multiply_keys(const Attended& of, const Vector* queries,
                               int first, int vector, Vector* products,
                               Vector (&largest)[kVectors]) {
  Vector sums[kKeys][kVectors];
  const char* keys[kKeys];
  ISSP_UNROLL
  for (int k = 0; k < kKeys; ++k) {
    keys[k] = of.keys + of.places[first + k];
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sums[k][v] = Vector{};
      if (of.added) {
        sums[k][v] = read(of.added + ((first + k) * of.vectors + vector + v) *
                                         static_cast<ptrdiff_t>(kLanes));
      }
    }
  }
  size_t channel = 0;
  for (int d = 0; d < of.channels; ++d) {
    ISSP_UNROLL
    for (int k = 0; k < kKeys; ++k) {
      const Vector key = number_at(keys[k] + channel);
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sums[k][v] += queries[d * kVectors + v] * key;
      }
    }
    channel += of.key_channel;
  }
  ISSP_UNROLL
  for (int k = 0; k < kKeys; ++k) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      products[(first + k) * kVectors + v] = sums[k][v];
      largest[v] = largest[v] < sums[k][v] ? sums[k][v] : largest[v];
    }
  }
}

// Means of some channels of all values, weighted for each query. The first call
// computes the weights from the products, and inverts their sums.
template <int kValues, int kVectors>
ISSP_INLINE void average_values(const Attended& of, Vector* weights,
                                const Vector (&largest)[kVectors],
                                Wide (&shares)[kVectors], int channel,
                                int vector) {
  const bool is_first = channel == 0;
  const bool is_last = channel + kValues == of.value_channels;
  Vector made[kValues][kVectors] = {};
  Wide sums[kVectors] = {};
  const char* values = of.values + channel * of.value_channel;
  // Weights are computed one pixel ahead, so that products do not wait for
  // them.
  Vector next[kVectors];
  const auto find_next = [&](int k) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      next[v] = weights[k * kVectors + v];
      if (!is_first) continue;
      next[v] = power_of_two(next[v] - largest[v]);
      sums[v] += widen(next[v]);
      if (!is_last) weights[k * kVectors + v] = next[v];
    }
  };
  const auto add = [&](int k, const Vector (&weight)[kVectors]) {
    const char* value = values + of.places[k];
    ISSP_UNROLL
    for (int c = 0; c < kValues; ++c) {
      const Vector number = number_at(value);
      value += of.value_channel;
      ISSP_UNROLL
      for (int v = 0; v < kVectors; ++v) made[c][v] += weight[v] * number;
    }
  };
  find_next(0);
  for (int k = 0; k + 1 < of.pixels; ++k) {
    Vector weight[kVectors];
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) weight[v] = next[v];
    find_next(k + 1);
    add(k, weight);
  }
  add(of.pixels - 1, next);
  if (is_first) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) shares[v] = 1.0f / sums[v];
  }
  char* output = of.output + channel * of.output_channel +
                 vector * static_cast<ptrdiff_t>(kBytes);
  ISSP_UNROLL
  for (int c = 0; c < kValues; ++c) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      store(output + v * static_cast<ptrdiff_t>(kBytes),
            __builtin_convertvector(widen(made[c][v]) * shares[v], Vector));
    }
    output += of.output_channel;
  }
}

template <int kValues, int kVectors>
ISSP_INLINE void average_rest(const Attended& of, Vector* weights,
                              const Vector (&largest)[kVectors],
                              Wide (&shares)[kVectors], int channel,
                              int vector) {
  if constexpr (kValues > 0) {
    if (of.value_channels - channel == kValues) {
      average_values<kValues>(of, weights, largest, shares, channel, vector);
    } else {
      average_rest<kValues - 1>(of, weights, largest, shares, channel, vector);
    }
  }
}

template <int kVectors>
void attend_some(const Attended& of, int vector) {
  Vector* products = reinterpret_cast<Vector*>(of.scratch);
  Vector* queries = products + of.pixels * kVectors;
  const Vector factor = all(of.factor);
  for (int d = 0; d < of.channels; ++d) {
    ISSP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      queries[d * kVectors + v] =
          factor * load(of.queries + d * of.query_channel +
                        (vector + v) * static_cast<ptrdiff_t>(kBytes));
    }
  }
  Vector largest[kVectors];
  ISSP_UNROLL
  for (int v = 0; v < kVectors; ++v) largest[v] = all(kLeastProduct);
  int k = 0;
  for (; k + kKeysAtOnce <= of.pixels; k += kKeysAtOnce) {
    multiply_keys<kKeysAtOnce>(of, queries, k, vector, products, largest);
  }
  for (; k < of.pixels; ++k) {
    multiply_keys<1>(of, queries, k, vector, products, largest);
  }
  Wide shares[kVectors];
  int channel = 0;
  for (; channel + kValuesAtOnce <= of.value_channels;
       channel += kValuesAtOnce) {
    average_values<kValuesAtOnce>(of, products, largest, shares, channel,
                                  vector);
  }
  average_rest<kValuesAtOnce - 1>(of, products, largest, shares, channel,
                                  vector);
}

void attend(const Attended& of) {
  int vector = 0;
  for (; vector + kQueriesAtOnce <= of.vectors; vector += kQueriesAtOnce) {
    attend_some<kQueriesAtOnce>(of, vector);
  }
  for (; vector < of.vectors; ++vector) attend_some<1>(of, vector);
}

}  // namespace
