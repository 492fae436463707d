// Element-wise functions.

namespace {

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

// Replaces each x of a tile by f(x, channel, other). `other` is the address in
// the other image, if there is one.
template <class Function>
ISSP_INLINE void make_each(const Sums& tile, int rows, int vectors,
                           const TilePost& post, const Function& function) {
  for (int o = 0; o < tile.outputs; ++o) {
    for (int r = 0; r < rows; ++r) {
      char* at = tile.output + tile.output_offsets[o] + r * tile.output_row;
      const char* other = post.other;
      if (other) other += r * post.other_row + post.other_offsets[o];
      for (int v = 0; v < vectors; ++v) {
        store(at, function(load(at), o, other));
        at += tile.output_vector;
        other += post.other_vector;
      }
    }
  }
}

void posts(const Sums& tile, int rows, int vectors, const TilePost* posts,
           int count) {
  for (int i = 0; i < count; ++i) {
    const TilePost& post = posts[i];
    const auto make = [&](const auto& function) {
      make_each(tile, rows, vectors, post, function);
    };
    switch (post.kind) {
      case kClamp:
        make([&](Vector x, int, const char*) {
          return clamp(x, post.low, post.high);
        });
        break;
      case kAdd:
        make([&](Vector x, int, const char* other) {
          return x + operand(post, other);
        });
        break;
      case kMultiply:
        make([&](Vector x, int, const char* other) {
          return x * operand(post, other);
        });
        break;
      case kAffine:
        make([&](Vector x, int o, const char*) {
          return x * all(post.a[o]) + all(post.b[o]);
        });
        break;
      case kLeaky:
        make([&](Vector x, int o, const char*) {
          return x < Vector{} ? x * all(post.a[o]) : x;
        });
        break;
      case kLogistic:
        make([&](Vector x, int, const char*) { return logistic(x); });
        break;
      case kGelu:
        make([&](Vector x, int, const char*) { return gelu(x); });
        break;
      case kGeluTanh:
        make([&](Vector x, int, const char*) { return gelu_tanh(x); });
        break;
    }
  }
}

}  // namespace
