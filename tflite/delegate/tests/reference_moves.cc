#include "reference_moves.h"

#include <functional>

namespace issp::testing {
namespace {

using Arrays = std::vector<const Array*>;
using Index = std::vector<int>;

// The position of a number with this index.
size_t place_of(const Shape& shape, const Index& index) {
  size_t place = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    place = place * size_t(shape[i]) + size_t(index[i]);
  }
  return place;
}

// Makes an array of a shape from the number at each index.
Array made(const Shape& shape,
           const std::function<double(const Index& index)>& number) {
  Array out{shape, {}};
  Index index(shape.size(), 0);
  const int64_t count = size_of(shape);
  for (int64_t i = 0; i < count; ++i) {
    out.values.push_back(number(index));
    for (size_t k = shape.size(); k-- > 0;) {
      if (++index[k] < shape[k]) break;
      index[k] = 0;
    }
  }
  return out;
}

int counted_from_0(double dimension, size_t rank) {
  return int(dimension) + (dimension < 0 ? int(rank) : 0);
}

int axis_of(const void* parameters, size_t rank) {
  return counted_from_0(
      static_cast<const tflite::ConcatenationParameters*>(parameters)->axis,
      rank);
}

Index integers(const Array& array) {
  return {array.values.begin(), array.values.end()};
}

Shape reshaped(const Array& in, Shape shape) {
  int64_t known = 1;
  for (int size : shape) known *= size < 0 ? 1 : size;
  for (int& size : shape) {
    if (size < 0) size = int(size_of(in.shape) / known);
  }
  return shape;
}

// The begin and the size of a STRIDED_SLICE in each dimension.
struct Slices {
  Index begins;
  Index steps;
  Shape sizes;
  std::vector<bool> vanishes;
};

Slices slices_of(const void* parameters, const Arrays& inputs) {
  const auto& of =
      *static_cast<const tflite::StridedSliceParameters*>(parameters);
  Slices made{integers(*inputs[1]), integers(*inputs[3]), {}, {}};
  Index ends = integers(*inputs[2]);
  // Dimensions after the named ones are whole.
  for (size_t i = ends.size(); i < inputs[0]->shape.size(); ++i) {
    made.begins.push_back(0);
    made.steps.push_back(1);
    ends.push_back(inputs[0]->shape[i]);
  }
  for (size_t i = 0; i < inputs[0]->shape.size(); ++i) {
    const int size = inputs[0]->shape[i];
    const auto within = [&](int place) {
      place += place < 0 ? size : 0;
      return place < 0 ? 0 : place > size ? size : place;
    };
    const bool vanishes = of.shrink_axis_mask >> i & 1;
    const int begin = of.begin_mask >> i & 1 ? 0 : within(made.begins[i]);
    int end = of.end_mask >> i & 1 ? size : within(ends[i]);
    if (vanishes) end = begin + 1;
    made.begins[i] = begin;
    made.sizes.push_back((end - begin + made.steps[i] - 1) / made.steps[i]);
    made.vanishes.push_back(vanishes);
  }
  return made;
}

Shape shape_of_product(const void* parameters, const Arrays& inputs) {
  const auto& of =
      *static_cast<const tflite::BatchMatMulParameters*>(parameters);
  Shape shape = inputs[0]->shape;
  const Shape& other = inputs[1]->shape;
  const size_t rank = shape.size();
  if (of.adjoint_x) shape[rank - 2] = shape[rank - 1];
  shape[rank - 1] = other[other.size() - (of.adjoint_y ? 2 : 1)];
  return shape;
}

Array product(const void* parameters, const Arrays& inputs,
              const Shape& shape) {
  const auto& of =
      *static_cast<const tflite::BatchMatMulParameters*>(parameters);
  const Array &a = *inputs[0], &b = *inputs[1];
  const size_t rank = shape.size();
  const int inner = a.shape[rank - (of.adjoint_x ? 2 : 1)];
  return made(shape, [&](const Index& index) {
    Index of_a = index, of_b = index;
    double sum = 0;
    for (int k = 0; k < inner; ++k) {
      of_a[rank - 2] = of.adjoint_x ? k : index[rank - 2];
      of_a[rank - 1] = of.adjoint_x ? index[rank - 2] : k;
      of_b[rank - 2] = of.adjoint_y ? index[rank - 1] : k;
      of_b[rank - 1] = of.adjoint_y ? k : index[rank - 1];
      sum += a.values[place_of(a.shape, of_a)] *
             b.values[place_of(b.shape, of_b)];
    }
    return sum;
  });
}

Array concatenated(const Arrays& inputs, size_t axis, const Shape& shape) {
  return made(shape, [&](Index index) {
    for (const Array* in : inputs) {
      const int size = in->shape[axis];
      if (index[axis] < size) return in->values[place_of(in->shape, index)];
      index[axis] -= size;
    }
    return 0.;
  });
}

// The numbers of an array from `begins` on.
Array from(const Array& in, const Shape& shape, const Index& begins,
           const Index& steps) {
  return made(shape, [&](Index index) {
    for (size_t i = 0; i < index.size(); ++i) {
      index[i] = begins[i] + index[i] * steps[i];
    }
    return in.values[place_of(in.shape, index)];
  });
}

Array transposed(const Array& in, const Index& order, const Shape& shape) {
  return made(shape, [&](const Index& index) {
    Index place(index.size());
    for (size_t i = 0; i < index.size(); ++i) {
      place[size_t(order[i])] = index[i];
    }
    return in.values[place_of(in.shape, place)];
  });
}

size_t gathered_axis(const void* parameters) {
  return size_t(
      static_cast<const tflite::GatherParameters*>(parameters)->axis);
}

Array gathered(const Array& in, size_t axis, const Index& indices,
               const Shape& shape) {
  return made(shape, [&](Index place) {
    place[axis] = indices[size_t(place[axis])];
    return in.values[place_of(in.shape, place)];
  });
}

}  // namespace

bool is_move(int code) {
  switch (code) {
    case tflite::kReshape:
    case tflite::kTranspose:
    case tflite::kSlice:
    case tflite::kStridedSlice:
    case tflite::kSplit:
    case tflite::kConcatenation:
    case tflite::kBatchMatMul:
    case tflite::kGather:
      return true;
  }
  return false;
}

Shape moved_shape(int code, const void* parameters, const Arrays& inputs, int,
                  int outputs) {
  Shape shape = inputs[code == tflite::kSplit ? 1 : 0]->shape;
  switch (code) {
    case tflite::kReshape:
      return reshaped(*inputs[0], integers(*inputs[1]));
    case tflite::kTranspose: {
      const Index order = integers(*inputs[1]);
      for (size_t i = 0; i < order.size(); ++i) {
        shape[i] = inputs[0]->shape[size_t(order[i])];
      }
      return shape;
    }
    case tflite::kSlice: {
      const Index begins = integers(*inputs[1]), sizes = integers(*inputs[2]);
      for (size_t i = 0; i < shape.size(); ++i) {
        shape[i] = sizes[i] < 0 ? shape[i] - begins[i] : sizes[i];
      }
      return shape;
    }
    case tflite::kStridedSlice: {
      const Slices slices = slices_of(parameters, inputs);
      Shape left;
      for (size_t i = 0; i < shape.size(); ++i) {
        if (!slices.vanishes[i]) left.push_back(slices.sizes[i]);
      }
      return left;
    }
    case tflite::kSplit:
      shape[size_t(counted_from_0(inputs[0]->values[0], shape.size()))] /=
          outputs;
      return shape;
    case tflite::kConcatenation: {
      const size_t axis = size_t(axis_of(parameters, shape.size()));
      for (size_t i = 1; i < inputs.size(); ++i) {
        shape[axis] += inputs[i]->shape[axis];
      }
      return shape;
    }
  }
  if (code == tflite::kGather) {
    shape[gathered_axis(parameters)] = int(inputs[1]->values.size());
    return shape;
  }
  return shape_of_product(parameters, inputs);
}

Array moved(int code, const void* parameters, const Arrays& inputs, int output,
            int outputs) {
  const Shape shape = moved_shape(code, parameters, inputs, output, outputs);
  const Array& in = *inputs[code == tflite::kSplit ? 1 : 0];
  const Index ones(in.shape.size(), 1);
  switch (code) {
    case tflite::kReshape:
      return {shape, in.values};
    case tflite::kTranspose:
      return transposed(in, integers(*inputs[1]), shape);
    case tflite::kSlice:
      return from(in, shape, integers(*inputs[1]), ones);
    case tflite::kStridedSlice: {
      const Slices slices = slices_of(parameters, inputs);
      return {shape,
              from(in, slices.sizes, slices.begins, slices.steps).values};
    }
    case tflite::kSplit: {
      Index begins(in.shape.size(), 0);
      const size_t axis =
          size_t(counted_from_0(inputs[0]->values[0], in.shape.size()));
      begins[axis] = output * shape[axis];
      return from(in, shape, begins, ones);
    }
    case tflite::kConcatenation:
      return concatenated(inputs, size_t(axis_of(parameters, shape.size())),
                          shape);
  }
  if (code == tflite::kGather) {
    return gathered(in, gathered_axis(parameters), integers(*inputs[1]), shape);
  }
  return product(parameters, inputs, shape);
}

}  // namespace issp::testing
