// Views of images: the place in the image of each number of a tensor.

#include "views.h"

#include <climits>

#include "reference_moves.h"
#include "testing.h"

namespace issp::testing {
namespace {

// A tensor as a view, and as an array of places in the image.
struct Known {
  View view;
  Array places;
};

Known image(const Shape& shape) {
  Known made;
  made.view = view_of_image(shape[0], {shape[1], shape[2]}, shape[3]);
  made.view.source = 0;
  made.places.shape = shape;
  for (int i = 0; i < size_of(shape); ++i) made.places.values.push_back(i);
  return made;
}

// The places of a view in the image, in order.
std::vector<double> places_of(const View& view) {
  Digits all;
  for (const Digits& digits : view.dimensions) {
    all.insert(all.end(), digits.begin(), digits.end());
  }
  std::vector<double> places;
  std::vector<int> turn(all.size(), 0);
  while (true) {
    std::array<int, kAxes> at = view.begins;
    for (size_t i = 0; i < all.size(); ++i) {
      at[all[i].axis] += turn[i] * all[i].step;
    }
    int place = 0;
    for (int axis = 0; axis < kAxes; ++axis) {
      place = place * view.extents[axis] + at[axis] % view.extents[axis];
    }
    places.push_back(place);
    size_t i = all.size();
    while (i > 0 && ++turn[i - 1] == all[i - 1].size) turn[--i] = 0;
    if (i == 0) return places;
  }
}

Shape shape_of_view(const View& view) {
  Shape shape;
  for (const Digits& digits : view.dimensions) {
    int size = 1;
    for (const Digit& digit : digits) size *= digit.size;
    shape.push_back(size);
  }
  return shape;
}

Array integers(const std::vector<int>& numbers) {
  return {{int(numbers.size())}, {numbers.begin(), numbers.end()}};
}

void expect_same(const Known& known, const std::string& what) {
  EXPECT(shape_of_view(known.view) == known.places.shape) << what;
  EXPECT(places_of(known.view) == known.places.values) << what;
}

// Splits sizes into factors, and sometimes joins neighbours.
Shape random_shape(const Shape& shape, Random* random) {
  Shape made;
  for (int size : shape) {
    for (int factor = 2; factor < size; ++factor) {
      if (size % factor == 0 && random->chance(0.5)) {
        made.push_back(factor);
        size /= factor;
      }
    }
    made.push_back(size);
    if (random->chance(0.2)) made.push_back(1);
  }
  for (size_t i = 1; i < made.size();) {
    if (made.size() > 6 || random->chance(0.3)) {
      made[i - 1] *= made[i];
      made.erase(made.begin() + long(i));
    } else {
      ++i;
    }
  }
  return made;
}

// Each changes both, or returns false if there is no such view.
bool reshape_both(Known* known, Random* random) {
  const Shape shape = random_shape(known->places.shape, random);
  if (!reshape(shape, &known->view)) return false;
  known->places.shape = shape;
  return true;
}

bool transpose_both(Known* known, Random* random) {
  std::vector<int> order;
  for (int i = 0; i < int(known->places.shape.size()); ++i) {
    order.insert(order.begin() + random->between(0, i), i);
  }
  const Array by = integers(order);
  known->places = moved(tflite::kTranspose, nullptr, {&known->places, &by}, 0,
                        1);
  return transpose(order, &known->view);
}

Array sliced(const Array& from, int dimension, int begin, int size) {
  std::vector<int> begins(from.shape.size(), 0);
  Shape sizes = from.shape;
  begins[size_t(dimension)] = begin;
  sizes[size_t(dimension)] = size;
  const Array by = integers(begins), of = integers(sizes);
  return moved(tflite::kSlice, nullptr, {&from, &by, &of}, 0, 1);
}

bool slice_both(Known* known, Random* random) {
  const int dimension = random->below(int(known->places.shape.size()));
  const int all = known->places.shape[size_t(dimension)];
  const int begin = random->below(all);
  const int size = random->between(1, all - begin);
  known->places = sliced(known->places, dimension, begin, size);
  return slice(dimension, begin, size, &known->view);
}

// Splits both, and joins the parts in another order.
bool roll_both(Known* known, Random* random) {
  const int dimension = random->below(int(known->places.shape.size()));
  const int all = known->places.shape[size_t(dimension)];
  if (all < 2) return false;
  const int begin = random->between(1, all - 1);
  const Array first = sliced(known->places, dimension, 0, begin);
  const Array rest = sliced(known->places, dimension, begin, all - begin);
  View of_first = known->view;
  if (!slice(dimension, 0, begin, &of_first)) return false;
  if (!slice(dimension, begin, all - begin, &known->view)) return false;
  const tflite::ConcatenationParameters along{dimension, 0};
  known->places = moved(tflite::kConcatenation, &along, {&rest, &first}, 0, 1);
  return concatenate(of_first, dimension, &known->view);
}

Shape random_image_shape(Random* random) {
  return {random->between(1, 2), random->of<int>({1, 2, 3, 4, 6, 8}),
          random->of<int>({1, 2, 3, 5, 8, 12}),
          random->of<int>({1, 2, 3, 6, 8})};
}

TEST(views_have_the_numbers_that_operators_move) {
  int right = 0, refused = 0;
  for (int i = 0; i < cases(2000); ++i) {
    Random random{uint64_t(i)};
    Known known = image(random_image_shape(&random));
    for (int steps = random.between(1, 8); steps > 0; --steps) {
      Known next = known;
      bool is_view = false;
      switch (random.below(4)) {
        case 0:
          is_view = reshape_both(&next, &random);
          break;
        case 1:
          is_view = transpose_both(&next, &random);
          break;
        case 2:
          is_view = slice_both(&next, &random);
          break;
        case 3:
          is_view = roll_both(&next, &random);
          break;
      }
      ++(is_view ? right : refused);
      if (!is_view) continue;
      expect_same(next, "sequence " + std::to_string(i));
      known = std::move(next);
    }
  }
  EXPECT(right >= refused) << right << " are views, " << refused
                              << " are not";
}

TEST(arrangements_have_the_pixels_of_views) {
  int looked_at = 0;
  for (int i = 0; i < cases(1000); ++i) {
    Random random{uint64_t(3000 + i)};
    const Shape shape = random_image_shape(&random);
    Known known = image(shape);
    for (int steps = random.between(1, 5); steps > 0; --steps) {
      Known next = known;
      bool is_view = false;
      switch (random.below(3)) {
        case 0:
          is_view = reshape_both(&next, &random);
          break;
        case 1:
          is_view = transpose_both(&next, &random);
          break;
        case 2:
          is_view = roll_both(&next, &random);
          break;
      }
      if (is_view) known = std::move(next);
    }
    if (!known.view.has_all_pixels()) continue;
    ++looked_at;
    const size_t rank = known.view.dimensions.size();
    const size_t rows = size_t(random.below(int(rank)));
    Digits parts[2];
    for (size_t k = 0; k + 1 < rank; ++k) {
      for (const Digit& digit : known.view.dimensions[k]) {
        if (digit.axis != kBatch) parts[k >= rows].push_back(digit);
      }
    }
    const Arrangement made = arrangement_of(known.view, parts[0], parts[1]);
    std::vector<int> expected;
    for (double place : known.places.values) {
      const int pixel = int(place) / shape[3];
      const bool is_first = pixel < shape[1] * shape[2];
      if (is_first && int(place) % shape[3] == 0) expected.push_back(pixel);
    }
    EXPECT(made.pixels() == expected) << i;
    EXPECT(made.size().height * made.size().width == shape[1] * shape[2]);
    EXPECT(made == arrangement_of(known.view, parts[0], parts[1]));
  }
  EXPECT(looked_at >= cases(1000) / 4) << looked_at;
}

TEST(the_image_itself_is_known_after_a_round) {
  Known known = image({2, 6, 4, 3});
  EXPECT(known.view.is_image() && known.view.has_all_pixels());
  EXPECT(reshape({4, 3, 2, 2, 3}, &known.view));
  EXPECT(transpose({0, 2, 1, 3, 4}, &known.view));
  EXPECT(!known.view.is_image() && known.view.has_all_pixels());
  EXPECT(reshape({8, 6, 3}, &known.view));
  EXPECT(reshape({4, 2, 3, 2, 3}, &known.view));
  EXPECT(transpose({0, 2, 1, 3, 4}, &known.view));
  EXPECT(reshape({2, 6, 4, 3}, &known.view));
  EXPECT(known.view.is_image() && known.view.name() == "6x4");
}

TEST(names_tell_orders_of_pixels_apart) {
  Known windows = image({1, 4, 4, 3});
  EXPECT(reshape({2, 2, 4, 1, 3}, &windows.view));
  Known others = image({1, 4, 4, 3});
  EXPECT(transpose({0, 2, 1, 3}, &others.view));
  EXPECT(windows.view.name() != others.view.name());
  Known rolled = image({1, 4, 4, 3});
  View first = rolled.view;
  EXPECT(slice(1, 0, 1, &first) && slice(1, 1, 3, &rolled.view) &&
         concatenate(first, 1, &rolled.view));
  EXPECT(rolled.view.has_all_pixels() && !rolled.view.is_image());
  EXPECT(rolled.view.name() != image({1, 4, 4, 3}).view.name());
  EXPECT(rolled.view.with_channels(7).channels() == 7);
}

TEST(channels_in_part_are_no_image) {
  View view = image({1, 4, 4, 6}).view;
  EXPECT(slice(3, 2, 2, &view) && !view.has_all_channels());
  EXPECT(view.has_all_pixels() && view.has_image_order() && !view.is_image());
  view = image({1, 4, 4, 6}).view;
  EXPECT(reshape({1, 4, 4, 2, 3}, &view) && slice(3, 1, 1, &view) &&
         reshape({1, 4, 4, 3}, &view));
  EXPECT(view.has_all_pixels() && view.begins[kChannels] == 3);
  view = image({1, 4, 4, 6}).view;
  EXPECT(reshape({1, 4, 4, 2, 3}, &view) && !view.has_all_pixels());
  view = image({1, 4, 4, 6}).view;
  EXPECT(slice(1, 0, 2, &view) && !view.has_all_pixels());
}

TEST(shapes_that_do_not_fit_have_no_view) {
  const View view = image({2, 4, 6, 3}).view;
  for (const Shape& shape :
       {Shape{}, {0}, {2, 4, 6, 0}, {-1}, {2, 4, 6, -3}, {144, 0}, {143},
        {145}, {288}, {2, 4, 6, 3, 2}, {5, 29}, {INT_MAX}, {INT_MIN},
        {1 << 30, 4}, {65536, 65536}, {16, 9, INT_MAX}}) {
    View made = view;
    EXPECT(!reshape(shape, &made)) << shape.size();
  }
}

TEST(orders_that_are_none_have_no_view) {
  const View view = image({2, 4, 6, 3}).view;
  for (const std::vector<int>& order :
       {std::vector<int>{}, {0, 1, 2}, {0, 1, 2, 2}, {0, 1, 2, 4},
        {0, 1, 2, -1}, {0, 1, 2, 3, 4}, {INT_MAX, INT_MIN, 0, 1},
        {0, 1, 2, 3, 0}}) {
    View made = view;
    EXPECT(!transpose(order, &made)) << order.size();
  }
}

TEST(slices_beyond_a_tensor_have_no_view) {
  const View view = image({2, 4, 6, 3}).view;
  const std::vector<int> numbers{INT_MIN, -1, 0, 1,           3,
                                 4,       6,  7, INT_MAX - 1, INT_MAX};
  for (int dimension = -1; dimension <= 4; ++dimension) {
    for (int begin : numbers) {
      for (int size : numbers) {
        View made = view;
        const bool is_known = slice(dimension, begin, size, &made);
        const int all =
            dimension < 0 || dimension > 3
                ? 0
                : std::vector<int>{2, 4, 6, 3}[size_t(dimension)];
        const bool fits =
            begin >= 0 && size >= 1 && int64_t(begin) + size <= all;
        // A batch cannot be split.
        EXPECT(is_known == (fits && (dimension > 0 || size == all)))
            << dimension << " " << begin << " " << size;
      }
    }
  }
}

TEST(what_does_not_follow_is_not_appended) {
  const View view = image({1, 4, 6, 3}).view;
  const auto part = [&](int dimension, int begin, int size) {
    View made = view;
    EXPECT(slice(dimension, begin, size, &made));
    return made;
  };
  View other = part(1, 2, 2);
  other.source = 1;
  View multiplied = part(1, 2, 2);
  multiplied.factor = 2;
  View flat = part(1, 2, 2);
  EXPECT(reshape({2, 18}, &flat));
  for (const View& next :
       {other, multiplied, flat, part(1, 1, 2), part(1, 3, 1), part(2, 2, 2),
        part(1, 0, 2), view, image({1, 4, 6, 2}).view,
        image({2, 4, 6, 3}).view}) {
    for (int dimension : {-1, 0, 1, 2, 3, 4, INT_MAX}) {
      View made = part(1, 0, 2);
      EXPECT(!concatenate(next, dimension, &made)) << dimension;
    }
  }
  View made = part(1, 0, 2);
  EXPECT(concatenate(part(1, 2, 2), 1, &made) && made.is_image());
  // Otherwise, places would occur twice.
  EXPECT(!concatenate(part(1, 0, 2), 1, &made));
}

TEST(images_near_the_largest_numbers_do_no_harm) {
  for (const Shape& shape :
       {Shape{INT_MAX, 1, 1, 1}, {INT_MAX, 4096, 4096, 65536},
        {1, 1 << 24, 1, 65536}, {INT_MAX, 1, 1 << 24, 1}, {0, 4, 4, 3},
        {1, 0, 4, 3}, {1, 4, 4, 0}, {0, 0, 0, 0}}) {
    const View view =
        view_of_image(shape[0], {shape[1], shape[2]}, shape[3]);
    view.name();
    view.is_image();
    view.has_all_pixels();
    for (const Shape& to :
         {shape, Shape{INT_MAX}, {1, INT_MAX}, {1 << 30, 2}, {65536, 32768}}) {
      View made = view;
      if (!reshape(to, &made)) continue;
      for (int dimension = 0; dimension < int(to.size()); ++dimension) {
        View part = made;
        slice(dimension, INT_MAX - 1, 1, &part);
        part = made;
        slice(dimension, 1, INT_MAX - 1, &part);
        part = made;
        EXPECT(!concatenate(made, dimension, &part));
      }
      made.has_all_pixels();
      made.name();
    }
  }
}

}  // namespace
}  // namespace issp::testing
