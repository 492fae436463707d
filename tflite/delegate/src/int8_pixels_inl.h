// Converts int8 images to and from pixels, and to and from float32.

namespace {

// Rounds one number to a byte.
ISSP_INLINE uint8_t rounded(float x, const Int8Scale& scale) {
  x *= scale.factor;
  x = x > scale.range.low ? x : scale.range.low;
  x = x < scale.range.high ? x : scale.range.high;
  x += 12582912.f;
  int bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return uint8_t(bits - 0x4b400000 + scale.range.zero);
}

void quantize(const Int8Sums& tile, int rows, int vectors, int filters,
              const Int8Scale& scale) {
  const Range range(scale.range);
  const Floats factor = spread_float(scale.factor);
  for (int o = 0; o < tile.outputs; ++o) {
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        Vector made{};
        for (int i = 0; i < kBlock && kBlock * o + i < filters; ++i) {
          const char* from = tile.input + tile.offsets[kBlock * o + i] +
                             r * tile.input_row + v * tile.input_vector;
          Floats x = *reinterpret_cast<const Floats*>(from) * factor;
          // NaN becomes the lowest number.
          x = x > range.low ? x : range.low;
          made |= as_channel(range.round(x), 8 * i);
        }
        store(tile.output + tile.output_offsets[o] + r * tile.output_row +
                  v * tile.output_vector,
              made);
      }
    }
  }
}

void dequantize(const Int8Sums& tile, int rows, int vectors,
                const Int8Scale& scale) {
  const Vector zero = spread(scale.range.zero);
  const Floats factor = spread_float(scale.factor);
  for (int o = 0; o < tile.outputs; ++o) {
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const Vector lanes = load(tile.input + tile.offsets[o / kBlock] +
                                  r * tile.input_row + v * tile.input_vector);
        const Floats made =
            to_floats(channel_of(lanes, 8 * (o % kBlock)) - zero) * factor;
        store(tile.output + tile.output_offsets[o] + r * tile.output_row +
                  v * tile.output_vector,
              Vector(made));
      }
    }
  }
}

// Calls `visit(lane, pixel, count)` for each lane of a row, one block of
// channels after the other. `pixel` is the address of the block in the
// runtime's pixels, or null beyond the image. The block has `count` channels.
template <int kSize, class Visit>
ISSP_INLINE void visit_lanes(const Int8Row& row, int first, int last,
                             const Visit& visit) {
  for (int c = 0; c < row.channels; c += kBlock) {
    const int left = row.channels - c;
    const int count = left < kBlock ? left : kBlock;
    char* strips = row.strips + c / kBlock * row.plane;
    char* pixels = static_cast<char*>(row.pixels) + c * kSize;
    for (int l = 0; l < kLanes; ++l) {
      for (int t = first; t < last; ++t) {
        const int x = l * row.strip + t;
        char* lane = strips + t * static_cast<ptrdiff_t>(kBytes) +
                     l * static_cast<ptrdiff_t>(sizeof(Scalar));
        const bool inside = x >= 0 && x < row.width;
        visit(lane,
              inside ? pixels + static_cast<ptrdiff_t>(x) * row.channels * kSize
                     : nullptr,
              count);
      }
    }
  }
}

// Packs `count` channels of a pixel, or zeros if `pixel` is null.
template <int kSize, class Convert>
ISSP_INLINE void pack_lane(char* lane, const char* pixel, int count,
                           uint8_t zero, const Convert& convert) {
  uint8_t bytes[kBlock] = {zero, zero, zero, zero};
  for (int i = 0; pixel && i < count; ++i) {
    bytes[i] = convert(pixel + i * kSize);
  }
  __builtin_memcpy(lane, bytes, kBlock);
}

template <int kSize, class Convert>
ISSP_INLINE void pack_row(const Int8Row& row, const Convert& convert) {
  const uint8_t zero = uint8_t(row.scale.range.zero);
  visit_lanes<kSize>(row, -row.left, row.strip + row.right,
                     [&](char* lane, const char* pixel, int count) {
                       pack_lane<kSize>(lane, pixel, count, zero, convert);
                     });
}

// Packs three channels of each pixel. `read` makes the lanes of `kLanes`
// pixels. It may read the first byte of the next pixel.
template <int kSize, class Convert, class Read>
ISSP_INLINE void pack_three(const Int8Row& row, const Convert& convert,
                            const Read& read) {
  const uint8_t zero = uint8_t(row.scale.range.zero);
  const char* pixels = static_cast<const char*>(row.pixels);
  const auto pixel = [&](int x) {
    return pixels + 3 * kSize * static_cast<ptrdiff_t>(x);
  };
  const int end = row.strip + row.right;
  for (int t = -row.left; t < end; t += kLanes) {
    Vector x[kLanes];
    for (int l = 0; l < kLanes; ++l) {
      const int begin = l * row.strip + t;
      if (begin >= 0 && begin + kLanes < row.width) {
        x[l] = read(pixel(begin));
        continue;
      }
      char lanes[kBytes];
      for (int i = 0; i < kLanes; ++i) {
        const bool is_inside = begin + i >= 0 && begin + i < row.width;
        pack_lane<kSize>(lanes + kBlock * i,
                         is_inside ? pixel(begin + i) : nullptr, 3, zero,
                         convert);
      }
      __builtin_memcpy(&x[l], lanes, kBytes);
    }
    transpose(x);
    for (int i = 0; i < kLanes && t + i < end; ++i) {
      store(row.strips + (t + i) * static_cast<ptrdiff_t>(kBytes), x[i]);
    }
  }
}

// Three channels, from the lowest byte on, and a fourth one of zeros.
ISSP_INLINE Vector lanes_of(Vector a, Vector b, Vector c, int zero) {
  return as_channel(a, 0) | as_channel(b, 8) | as_channel(c, 16) |
         as_channel(spread(zero), 24);
}

ISSP_INLINE Vector read_three(const char* from, const Int8Scale& scale) {
  const Range range(scale.range);
  Floats x[3];
  __builtin_memcpy(x, from, sizeof(x));
  const Floats factor = spread_float(scale.factor);
  const Vector a = range.round(x[0] * factor);
  const Vector b = range.round(x[1] * factor);
  const Vector c = range.round(x[2] * factor);
  return lanes_of(separate<0>(a, b, c), separate<1>(a, b, c),
                  separate<2>(a, b, c), scale.range.zero);
}

ISSP_INLINE Vector read_three(const char* from, uint8_t flip, int zero) {
  Vector x;
  for (int i = 0; i < kLanes; ++i) {
    int pixel;
    __builtin_memcpy(&pixel, from + 3 * i, sizeof(pixel));
    x[i] = pixel;
  }
  x ^= spread(flip * 0x010101);
  return (x & spread(0xffffff)) | as_channel(spread(zero), 24);
}

template <int kSize, class Convert>
ISSP_INLINE void unpack_row(const Int8Row& row, const Convert& convert) {
  visit_lanes<kSize>(row, 0, row.strip,
                     [&](char* lane, char* pixel, int count) {
                       uint8_t bytes[kBlock];
                       __builtin_memcpy(bytes, lane, kBlock);
                       for (int i = 0; pixel && i < count; ++i) {
                         convert(bytes[i], pixel + i * kSize);
                       }
                     });
}

// The bits to flip between stored bytes and those of the runtime.
ISSP_INLINE uint8_t flipped(PixelType type) {
  const bool is_signed = type == kPixelsInt8;
  return is_signed == (kOffset == 128) ? 128 : 0;
}

// Vectors of four lanes would gain little, and WebAssembly must stay small.
constexpr bool kReadsThree = kLanes > 4;

void pack(const Int8Row& row) {
  if (row.type == kPixelsFloat32) {
    const auto convert = [&](const char* from) {
      float x;
      __builtin_memcpy(&x, from, sizeof(x));
      return rounded(x, row.scale);
    };
    if constexpr (kReadsThree) {
      if (row.channels == 3) {
        return pack_three<4>(row, convert, [&](const char* from) {
          return read_three(from, row.scale);
        });
      }
    }
    return pack_row<4>(row, convert);
  }
  const uint8_t flip = flipped(row.type);
  const auto convert = [&](const char* from) { return uint8_t(*from ^ flip); };
  if constexpr (kReadsThree) {
    if (row.channels == 3) {
      return pack_three<1>(row, convert, [&](const char* from) {
        return read_three(from, flip, row.scale.range.zero);
      });
    }
  }
  pack_row<1>(row, convert);
}

// Writes three channels of the first `count` pixels of a vector. `row` is the
// bytes of a row.
ISSP_INLINE void write_three(Vector pixels, int count, float* to,
                             ptrdiff_t row, const Int8Scale& scale) {
  const Vector zero = spread(scale.range.zero);
  const Floats factor = spread_float(scale.factor);
  const Floats a = to_floats(channel_of(pixels, 0) - zero) * factor;
  const Floats b = to_floats(channel_of(pixels, 8) - zero) * factor;
  const Floats c = to_floats(channel_of(pixels, 16) - zero) * factor;
  const Floats made[] = {interleave<0>(a, b, c), interleave<1>(a, b, c),
                         interleave<2>(a, b, c)};
  if (count == kLanes) {
    // Otherwise the next row waits for memory, since images do not fit into
    // the caches.
    const char* next = reinterpret_cast<const char*>(to) + row;
    for (int i = 0; i < 3; ++i) __builtin_prefetch(next + i * kBytes, 1, 2);
    __builtin_memcpy(to, made, sizeof(made));
    return;
  }
  float numbers[3 * kLanes];
  __builtin_memcpy(numbers, made, sizeof(made));
  for (int i = 0; i < 3 * count; ++i) to[i] = numbers[i];
}

ISSP_INLINE void write_three(Vector pixels, int count, uint8_t* to, ptrdiff_t,
                             uint8_t flip) {
  uint8_t lanes[kBytes];
  __builtin_memcpy(lanes, &pixels, kBytes);
  for (int i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) {
      to[3 * i + c] = lanes[kBlock * i + c] ^ flip;
    }
  }
}

// Unpacks three channels of `kLanes` vectors, from vector t on.
template <class Number, class How>
ISSP_INLINE void unpack_three(const Int8Row& row, int t, const How& how) {
  Vector x[kLanes];
  ISSP_UNROLL
  for (int i = 0; i < kLanes; ++i) {
    x[i] = load(row.strips + (t + i) * kBytes);
  }
  transpose(x);
  for (int l = 0; l < kLanes; ++l) {
    const int begin = l * row.strip + t;
    if (begin >= row.width) break;
    const int left = row.width - begin;
    const ptrdiff_t pixel = 3 * sizeof(Number);
    write_three(x[l], left < kLanes ? left : kLanes,
                static_cast<Number*>(row.pixels) +
                    3 * static_cast<ptrdiff_t>(begin),
                row.width * pixel, how);
  }
}

template <class Number, class How>
ISSP_INLINE bool unpack_if_three(const Int8Row& row, const How& how) {
  if (row.channels != 3 || row.strip < kLanes) return false;
  for (int t = 0; t < row.strip; t += kLanes) {
    // The last vectors may overlap the ones before.
    unpack_three<Number>(row, t < row.strip - kLanes ? t : row.strip - kLanes,
                         how);
  }
  return true;
}

void unpack(const Int8Row& row) {
  if (row.type == kPixelsFloat32) {
    if (unpack_if_three<float>(row, row.scale)) return;
    unpack_row<4>(row, [&](uint8_t byte, char* to) {
      const int number = kOffset ? int(byte) : int(int8_t(byte));
      const float x = float(number - row.scale.range.zero) * row.scale.factor;
      __builtin_memcpy(to, &x, sizeof(x));
    });
    return;
  }
  const uint8_t flip = flipped(row.type);
  if (unpack_if_three<uint8_t>(row, flip)) return;
  unpack_row<1>(row, [&](uint8_t byte, char* to) { *to = char(byte ^ flip); });
}

void add_row(const Int8Row& row, int64_t* sums) {
  for (int c = 0; c < row.channels; ++c) {
    int64_t sum = 0;
    for (int x = 0; x < row.width; ++x) {
      const char* lane =
          row.strips + c / kBlock * row.plane +
          x % row.strip * static_cast<ptrdiff_t>(kBytes) +
          x / row.strip * static_cast<ptrdiff_t>(sizeof(Scalar));
      const uint8_t byte = uint8_t(lane[c % kBlock]);
      sum += kOffset ? int(byte) : int(int8_t(byte));
    }
    sums[c] += sum;
  }
}

}  // namespace
