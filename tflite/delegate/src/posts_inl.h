// Functions of single values.

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

}  // namespace
