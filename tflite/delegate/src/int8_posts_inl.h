// Element-wise functions in int8.

namespace {

// Replaces each x of a tile by f(x, filter, other).
template <class Function>
ISSP_INLINE void make_each(const Tile& tile, int rows, int vectors,
                           const Int8Post& post, const Function& function) {
  for (int o = 0; o < tile.outputs; ++o) {
    for (int r = 0; r < rows; ++r) {
      char* at = tile.output + tile.output_offsets[o] + r * tile.output_row;
      for (int v = 0; v < vectors; ++v, at += tile.output_vector) {
        const Vector lanes = load(at);
        Vector made{};
        for (int i = 0; i < kBlock; ++i) {
          const int f = kBlock * o + i;
          Vector other{};
          if (post.other) {
            const char* from = post.other + r * post.other_row +
                               v * post.other_vector + post.other_offsets[f];
            other = channel_of(
                post.other_vector
                    ? load(from)
                    : spread(*reinterpret_cast<const Scalar*>(from)),
                post.other_bits[f]);
          }
          made |= as_channel(function(channel_of(lanes, 8 * i), f, other),
                             8 * i);
        }
        store(at, made);
      }
    }
  }
}

void post(const Tile& tile, int rows, int vectors, const Int8Post& post) {
  const Range range(post.range);
  const Vector zero = spread(post.zero), other_zero = spread(post.other_zero);
  const Addition addition(post.addition);
  const auto make = [&](const auto& function) {
    make_each(tile, rows, vectors, post, function);
  };
  switch (post.kind) {
    case kClamp:
      make([&](Vector x, int, Vector) { return range.clamp(x - zero); });
      break;
    case kAdd:
      make([&](Vector x, int, Vector other) {
        return addition.of(x, other, spread(post.addition.bias), range);
      });
      break;
    case kMultiply:
      make([&](Vector x, int f, Vector other) {
        const Vector by =
            post.other ? other - other_zero : spread(post.biases[f]);
        return range.round(to_floats((x - zero) * by) *
                           spread_float(post.scale));
      });
      break;
    case kAffine:
      make([&](Vector x, int f, Vector) {
        return addition.of(x, Vector{}, spread(post.biases[f]), range);
      });
      break;
    case kLeaky:
      make([&](Vector x, int f, Vector) {
        const Vector from_zero = x - zero;
        const Floats factor = from_zero < Vector{} ? spread_float(post.a[f])
                                                   : spread_float(post.b[f]);
        return range.round(to_floats(from_zero) * factor +
                           spread_float(post.scale));
      });
      break;
    case kLogistic:
      make([&](Vector x, int, Vector) {
        for (int l = 0; l < kLanes; ++l) x[l] = post.table[x[l] & 255];
        return x;
      });
      break;
    case kGelu:
    case kGeluTanh:
      break;  // TFLite computes these in int8.
  }
}

}  // namespace
