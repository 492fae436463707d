// The kernels, for vectors of `ISSP_LANES` numbers.
//
// Included by one source for each kind of CPU, in its own namespace and with
// nothing of the standard library, whose functions would otherwise be compiled
// for one CPU and used on another.

#ifndef ISSP_LANES
#error "ISSP_LANES is not defined"
#endif

namespace {

using Scalar = ISSP_SCALAR;
constexpr int kLanes = ISSP_LANES;
constexpr size_t kBytes = kLanes * sizeof(Scalar);

typedef Scalar Vector __attribute__((vector_size(kBytes), may_alias));

#define ISSP_INLINE inline __attribute__((always_inline))

ISSP_INLINE Vector load(const char* from) {
  return *reinterpret_cast<const Vector*>(from);
}

ISSP_INLINE void store(char* to, Vector vector) {
  *reinterpret_cast<Vector*>(to) = vector;
}

// A list of f(lane) for all lanes.
#if ISSP_LANES == 16
#define ISSP_LIST(f)                                                      \
  f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), \
      f(12), f(13), f(14), f(15)
#elif ISSP_LANES == 8
#define ISSP_LIST(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define ISSP_LIST(f) f(0), f(1), f(2), f(3)
#endif

// A number in all lanes. As a sum of a vector and a number it would be rounded
// to float32 between, for what GCC calls float16.
ISSP_INLINE Vector spread(Scalar x) {
#define ISSP_SAME(lane) x
  return Vector{ISSP_LIST(ISSP_SAME)};
#undef ISSP_SAME
}

ISSP_INLINE Vector all(float value) { return spread(Scalar(value)); }

ISSP_INLINE Vector clamp(Vector x, float low, float high) {
  // What is not a number stays so.
  const Vector least = all(low), most = all(high);
  x = least > x ? least : x;
  return most < x ? most : x;
}

template <int kRows, int kVectors>
ISSP_INLINE void begin_sums(const Sums& tile, int o,
                            Vector (&sum)[kRows][kVectors]) {
  if (tile.continues) {
    const char* output = tile.output + tile.output_offsets[o];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] =
            load(output + r * tile.output_row + v * tile.output_vector);
      }
    }
  } else if (tile.add) {
    const char* add = tile.add + tile.add_offsets[o];
    const Vector bias = all(tile.bias[o]);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = bias + load(add + r * tile.add_row + v * tile.add_vector);
      }
    }
  } else {
    const Vector bias = all(tile.bias[o]);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sum[r][v] = bias;
    }
  }
}

template <int kRows, int kVectors>
ISSP_INLINE void end_sums(const Sums& tile, int o,
                          Vector (&sum)[kRows][kVectors]) {
  char* output = tile.output + tile.output_offsets[o];
  if (tile.clamps) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = clamp(sum[r][v], tile.low, tile.high);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      store(output + r * tile.output_row + v * tile.output_vector, sum[r][v]);
    }
  }
}

template <int kRows, int kVectors, bool kStrided>
void sums(const Sums& tile) {
  const size_t input_vector = kStrided ? tile.input_vector : kBytes;
  for (int o = 0; o < tile.outputs; ++o) {
    Vector sum[kRows][kVectors];
    begin_sums(tile, o, sum);
    const uint32_t end = tile.begins[o + 1];
    for (uint32_t k = tile.begins[o]; k < end; ++k) {
      const char* input = tile.input + tile.offsets[k];
      const Vector weight = all(tile.values[k]);
      for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
          sum[r][v] +=
              weight * load(input + r * tile.input_row + v * input_vector);
        }
      }
    }
    end_sums(tile, o, sum);
  }
}

// Of groups of outputs: each vector of the input is loaded once for all.
template <int kGroup, int kVectors>
void group_sums(const Sums& tile) {
  for (int g = 0; g < tile.outputs / kGroup; ++g) {
    Vector sum[kGroup][1][kVectors];
    for (int i = 0; i < kGroup; ++i) begin_sums(tile, g * kGroup + i, sum[i]);
    const uint32_t end = tile.begins[g + 1];
    for (uint32_t k = tile.begins[g]; k < end; ++k) {
      const char* input = tile.input + tile.offsets[k];
      const float* values = tile.values + size_t(k) * kGroup;
      Vector weights[kGroup];
      for (int i = 0; i < kGroup; ++i) weights[i] = all(values[i]);
      for (int v = 0; v < kVectors; ++v) {
        const Vector x = load(input + v * kBytes);
        for (int i = 0; i < kGroup; ++i) sum[i][0][v] += weights[i] * x;
      }
    }
    for (int i = 0; i < kGroup; ++i) end_sums(tile, g * kGroup + i, sum[i]);
  }
}

// The largest tiles, of 1 to 4 rows.
constexpr int kWidest[kMostRows] = {12, 6, 5, 5};

template <int kRows, int kVectors>
SumsFunction find(int rows, int vectors, bool strided) {
  if (rows != kRows) {
    if constexpr (kRows < kMostRows) {
      return find<kRows + 1, 1>(rows, vectors, strided);
    }
    return nullptr;
  }
  if (vectors != kVectors) {
    if constexpr (kVectors < kWidest[kRows - 1]) {
      return find<kRows, kVectors + 1>(rows, vectors, strided);
    }
    return nullptr;
  }
  if (!strided) return sums<kRows, kVectors, false>;
  if constexpr (kRows <= 2 && kVectors <= 5) return sums<kRows, kVectors, true>;
  return nullptr;
}

// Of a group, that registers hold beside its weights, on any CPU.
constexpr int kMostGroupSums = 24;

template <int kGroup, int kVectors>
SumsFunction find_group(int vectors) {
  if (vectors == kVectors) return group_sums<kGroup, kVectors>;
  if constexpr (kVectors < kMostVectors && kGroup * kVectors < kMostGroupSums) {
    return find_group<kGroup, kVectors + 1>(vectors);
  }
  return nullptr;
}

SumsFunction find_sums(int rows, int vectors, int group, bool strided) {
  if (group == 1) return find<1, 1>(rows, vectors, strided);
  if (rows != 1 || strided) return nullptr;
  if (group == 2) return find_group<2, 1>(vectors);
  return group == 4 ? find_group<4, 1>(vectors) : nullptr;
}

Vector logistic(Vector x) {
  for (int l = 0; l < kLanes; ++l) {
    x[l] = Scalar(1.f / (1.f + __builtin_expf(-float(x[l]))));
  }
  return x;
}

ISSP_INLINE Vector operand(const TilePost& post, const char* other) {
  if (post.other_vector) return load(other);
  return spread(*reinterpret_cast<const Scalar*>(other));
}

ISSP_INLINE Vector apply(const TilePost& post, Vector x, int o,
                         const char* other) {
  switch (post.kind) {
    case kClamp:
      return clamp(x, post.low, post.high);
    case kAdd:
      return x + operand(post, other);
    case kMultiply:
      return x * operand(post, other);
    case kAffine:
      return x * all(post.a[o]) + all(post.b[o]);
    case kLeaky:
      return x < Vector{} ? x * all(post.a[o]) : x;
    case kLogistic:
      return logistic(x);
  }
  return x;
}

void posts(const Sums& tile, int rows, int vectors, const TilePost* posts,
           int count) {
  for (int i = 0; i < count; ++i) {
    const TilePost& post = posts[i];
    for (int o = 0; o < tile.outputs; ++o) {
      for (int r = 0; r < rows; ++r) {
        char* at =
            tile.output + tile.output_offsets[o] + r * tile.output_row;
        const char* other = post.other;
        if (other) other += r * post.other_row + post.other_offsets[o];
        for (int v = 0; v < vectors; ++v) {
          store(at, apply(post, load(at), o, other));
          at += tile.output_vector;
          other += post.other_vector;
        }
      }
    }
  }
}

// The vector whose lane l is number f(l) of the lanes of `x` and then `y`.
#if defined(__clang__) || __GNUC__ >= 12
#define ISSP_SHUFFLE(x, y, f) __builtin_shufflevector(x, y, ISSP_LIST(f))
#else
typedef ISSP_LANE Lanes __attribute__((vector_size(kBytes)));
#define ISSP_SHUFFLE(x, y, f) __builtin_shuffle(x, y, Lanes{ISSP_LIST(f)})
#endif

constexpr int next_lane(int l) { return l + 1; }
constexpr int previous_lane(int l) { return l ? l - 1 : kLanes; }

ISSP_INLINE Vector later(Vector x) {
  return ISSP_SHUFFLE(x, Vector{}, next_lane);
}

ISSP_INLINE Vector earlier(Vector x) {
  return ISSP_SHUFFLE(x, Vector{}, previous_lane);
}

// The vector whose lane l is lane l - `lanes` of `x`, or zero.
ISSP_INLINE Vector moved(Vector x, int lanes) {
  for (; lanes > 0; --lanes) x = earlier(x);
  for (; lanes < 0; ++lanes) x = later(x);
  return x;
}

void borders(const Sums& tile, int rows, int first, int vectors,
             const Border* const* borders, const int* counts,
             const uint8_t* columns) {
  for (int o = 0; o < tile.outputs; ++o) {
    const Border* border = borders[columns[o]];
    const Border* end = border + counts[columns[o]];
    for (; border < end; ++border) {
      const int v = border->vector - first;
      if (v < 0 || v >= vectors) continue;
      char* at = tile.output + tile.output_offsets[o] + v * tile.output_vector;
      for (int r = 0; r < rows; ++r, at += tile.output_row) {
        Vector x = load(at);
        if (border->valid_lanes < kLanes) {
          for (int l = border->valid_lanes; l < kLanes; ++l) x[l] = 0;
          store(at, x);
        }
        if (border->lanes) store(at + border->bytes, moved(x, border->lanes));
      }
    }
  }
}

// The lanes of two vectors in turn, of their first halves or of their second.
constexpr int zip_first(int l) { return l / 2 + l % 2 * kLanes; }
constexpr int zip_second(int l) { return kLanes / 2 + zip_first(l); }

// Lane l of vector t becomes lane t of vector l.
ISSP_INLINE void transpose(Vector (&x)[kLanes]) {
  for (int step = 1; step < kLanes; step *= 2) {
    Vector y[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      const Vector a = x[i], b = x[i + kLanes / 2];
      y[2 * i] = ISSP_SHUFFLE(a, b, zip_first);
      y[2 * i + 1] = ISSP_SHUFFLE(a, b, zip_second);
    }
    for (int i = 0; i < kLanes; ++i) x[i] = y[i];
  }
}

// Pixels that a vector holds, or zeros where there is none.
ISSP_INLINE bool is_inside(const Row& row, int lane, int t) {
  const int x = lane * row.strip + t;
  return x >= 0 && x < row.width;
}

// Packs vector t of as many channels, from channel c, as there are lanes.
void pack_block(const Row& row, int t, int c) {
  Vector x[kLanes] = {};
  for (int l = 0; l < kLanes; ++l) {
    if (!is_inside(row, l, t)) continue;
    const float* from =
        row.pixels +
        static_cast<ptrdiff_t>(l * row.strip + t) * row.channels + c;
    for (int i = 0; i < kLanes; ++i) x[l][i] = Scalar(from[i]);
  }
  transpose(x);
  for (int i = 0; i < kLanes; ++i) {
    store(row.strips + (c + i) * row.channel +
              t * static_cast<ptrdiff_t>(kBytes),
          x[i]);
  }
}

void pack(const Row& row) {
  const int first = -row.left, last = row.strip + row.right;
  if (row.channels >= kLanes) {
    for (int t = first; t < last; ++t) {
      for (int c = 0; c < row.channels; c += kLanes) {
        // The last block may repeat some of the one before.
        const int rest = row.channels - kLanes;
        pack_block(row, t, c < rest ? c : rest);
      }
    }
    return;
  }
  for (int c = 0; c < row.channels; ++c) {
    char* channel = row.strips + c * row.channel;
    for (int t = first; t < last; ++t) {
      Scalar* to = reinterpret_cast<Scalar*>(
          channel + t * static_cast<ptrdiff_t>(kBytes));
      for (int l = 0; l < kLanes; ++l) {
        const int x = l * row.strip + t;
        to[l] = is_inside(row, l, t)
                    ? Scalar(row.pixels[x * row.channels + c])
                    : Scalar(0);
      }
    }
  }
}

// Unpacks vector t of as many channels, from channel c, as there are lanes.
void unpack_block(const Row& row, int t, int c) {
  Vector x[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    x[i] = load(row.strips + (c + i) * row.channel + t * kBytes);
  }
  transpose(x);
  for (int l = 0; l < kLanes; ++l) {
    if (!is_inside(row, l, t)) continue;
    float* to = row.pixels +
                static_cast<ptrdiff_t>(l * row.strip + t) * row.channels + c;
    for (int i = 0; i < kLanes; ++i) to[i] = float(x[l][i]);
  }
}

// Unpacks as many vectors of three channels, from vector t, as there are lanes.
void unpack_three(const Row& row, int t) {
  alignas(kBytes) Scalar planes[3][kLanes][kLanes];
  for (int c = 0; c < 3; ++c) {
    Vector x[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      x[i] = load(row.strips + c * row.channel + (t + i) * kBytes);
    }
    transpose(x);
    for (int l = 0; l < kLanes; ++l) {
      store(reinterpret_cast<char*>(planes[c][l]), x[l]);
    }
  }
  for (int l = 0; l < kLanes; ++l) {
    const int begin = l * row.strip + t;
    float* to = row.pixels + 3 * static_cast<ptrdiff_t>(begin);
    if (begin + kLanes <= row.width) {
      for (int i = 0; i < kLanes; ++i) {
        to[3 * i] = float(planes[0][l][i]);
        to[3 * i + 1] = float(planes[1][l][i]);
        to[3 * i + 2] = float(planes[2][l][i]);
      }
      continue;
    }
    for (int i = 0; begin + i < row.width; ++i) {
      for (int c = 0; c < 3; ++c) to[3 * i + c] = float(planes[c][l][i]);
    }
  }
}

void unpack(const Row& row) {
  if (row.channels == 3 && row.strip >= kLanes) {
    for (int t = 0; t < row.strip; t += kLanes) {
      // The last block may repeat some of the one before.
      unpack_three(row, t < row.strip - kLanes ? t : row.strip - kLanes);
    }
    return;
  }
  if (row.channels >= kLanes) {
    const int rest = row.channels - kLanes;
    for (int t = 0; t < row.strip; ++t) {
      for (int c = 0; c < row.channels; c += kLanes) {
        unpack_block(row, t, c < rest ? c : rest);
      }
    }
    return;
  }
  for (int l = 0; l < kLanes; ++l) {
    const int begin = l * row.strip;
    const int left = row.width - begin;
    const int count = left < row.strip ? left : row.strip;
    for (int t = 0; t < count; ++t) {
      const char* from = row.strips + t * kBytes + l * sizeof(Scalar);
      float* to = row.pixels + static_cast<size_t>(begin + t) * row.channels;
      for (int c = 0; c < row.channels; ++c, from += row.channel) {
        to[c] = float(*reinterpret_cast<const Scalar*>(from));
      }
    }
  }
}

void add_row(const Row& row, double* sums) {
  const int full = row.width - (kLanes - 1) * row.strip;
  for (int c = 0; c < row.channels; ++c) {
    const char* from = row.strips + c * row.channel;
    Vector sum{};
    for (int t = 0; t < row.strip; ++t) {
      Vector x = load(from + t * kBytes);
      if (t >= full) {
        for (int l = 0; l < kLanes; ++l) {
          if (l * row.strip + t >= row.width) x[l] = 0;
        }
      }
      sum += x;
    }
    float total = 0;
    for (int l = 0; l < kLanes; ++l) total += float(sum[l]);
    sums[c] += total;
  }
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
    ISSP_NAME, kLanes, sizeof(Scalar), ISSP_REGISTERS, find_sums, posts,
    borders,   pack,   unpack,         add_row,
};
