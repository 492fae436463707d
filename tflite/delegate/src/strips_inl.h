// Converts images to and from pixels with channels last.

namespace {

// Whether a lane of vector t is a pixel of the row.
ISSP_INLINE bool is_inside(const Row& row, int lane, int t) {
  const int x = lane * row.strip + t;
  return x >= 0 && x < row.width;
}

// Packs vector t of `kLanes` channels, from channel c on.
void pack_block(const Row& row, int t, int c) {
  Vector x[kLanes] = {};
  for (int l = 0; l < kLanes; ++l) {
    if (!is_inside(row, l, t)) continue;
    const float* from =
        row.pixels +
        static_cast<ptrdiff_t>(l * row.strip + t) * row.channels + c;
    x[l] = read(from);
  }
  transpose(x);
  ISSP_UNROLL
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
        // The last block may overlap the one before.
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

// Unpacks vector t of `kLanes` channels, from channel c on.
void unpack_block(const Row& row, int t, int c) {
  Vector x[kLanes];
  ISSP_UNROLL
  for (int i = 0; i < kLanes; ++i) {
    x[i] = load(row.strips + (c + i) * row.channel + t * kBytes);
  }
  transpose(x);
  for (int l = 0; l < kLanes; ++l) {
    if (!is_inside(row, l, t)) continue;
    float* to = row.pixels +
                static_cast<ptrdiff_t>(l * row.strip + t) * row.channels + c;
    write(to, x[l]);
  }
}

// Unpacks `kLanes` vectors of three channels, from vector t on.
void unpack_three(const Row& row, int t) {
  alignas(kBytes) Scalar planes[3][kLanes][kLanes];
  for (int c = 0; c < 3; ++c) {
    Vector x[kLanes];
    ISSP_UNROLL
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
      const Vector a = load(reinterpret_cast<const char*>(planes[0][l]));
      const Vector b = load(reinterpret_cast<const char*>(planes[1][l]));
      const Vector c = load(reinterpret_cast<const char*>(planes[2][l]));
      write(to, interleave<0>(a, b, c));
      write(to + kLanes, interleave<1>(a, b, c));
      write(to + 2 * static_cast<ptrdiff_t>(kLanes), interleave<2>(a, b, c));
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
      // The last block may overlap the one before.
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

}  // namespace
