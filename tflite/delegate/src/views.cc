#include "views.h"

#include <cstdint>
#include <utility>

#include "sort.h"

namespace issp {
namespace {

int64_t product(const Digits& digits) {
  int64_t product = 1;
  for (const Digit& digit : digits) product *= digit.size;
  return product;
}

// Merges digits that count on without a gap.
Digits merged(const Digits& digits) {
  Digits made;
  for (const Digit& digit : digits) {
    if (digit.size == 1) continue;
    if (!made.empty() && made.back().axis == digit.axis &&
        made.back().step == digit.step * digit.size) {
      made.back() = {digit.axis, made.back().size * digit.size, digit.step};
    } else {
      made.push_back(digit);
    }
  }
  return made;
}

// Whether digits count each place of an axis once.
bool counts_all(const std::vector<Digits>& dimensions, Axis axis, int extent) {
  Digits all;
  for (const Digits& digits : dimensions) {
    for (const Digit& digit : digits) {
      if (digit.axis == axis) all.push_back(digit);
    }
  }
  sort(&all, [](const Digit& a, const Digit& b) { return a.step < b.step; });
  int64_t counted = 1;
  for (const Digit& digit : all) {
    if (digit.step != counted) return false;
    counted *= digit.size;
  }
  return counted == extent;
}

// Moves digits with `count` numbers to `taken`. The first digits have the
// largest steps.
bool take(int count, Digits* digits, size_t* next, Digits* taken) {
  while (count > 1) {
    if (*next == digits->size()) return false;
    Digit& digit = (*digits)[*next];
    if (digit.size < 1) return false;
    if (count % digit.size == 0) {
      taken->push_back(digit);
      count /= digit.size;
      ++*next;
    } else if (digit.size % count == 0) {
      const int rest = digit.size / count;
      taken->push_back({digit.axis, count, digit.step * rest});
      digit.size = rest;
      count = 1;
    } else {
      return false;
    }
  }
  return count == 1;
}

std::string text_of(const Digit& digit) {
  return std::string(1, "bhwc"[digit.axis]) + std::to_string(digit.size) + "/" +
         std::to_string(digit.step);
}

}  // namespace

bool View::has_all_pixels() const {
  if (dimensions.size() < 2) return false;
  const Digits& last = dimensions.back();
  if (last != merged({{kChannels, int(product(last)), 1}})) return false;
  const std::vector<Digits> pixels(dimensions.begin(), dimensions.end() - 1);
  for (Axis axis : {kBatch, kDown, kAcrossPixels}) {
    if (!counts_all(pixels, axis, extents[axis])) return false;
  }
  return counts_all(pixels, kChannels, 1);
}

bool View::has_all_channels() const {
  return begins[kChannels] == 0 && product(dimensions.back()) == channels();
}

bool View::has_image_order() const {
  if (dimensions.size() != kAxes || begins[kDown] || begins[kAcrossPixels]) {
    return false;
  }
  for (int axis = 0; axis < kChannels; ++axis) {
    if (dimensions[axis] != merged({{Axis(axis), extents[axis], 1}})) {
      return false;
    }
  }
  return true;
}

bool View::is_image() const {
  return has_image_order() && has_all_pixels() && has_all_channels();
}

bool View::is_crop() const {
  if (dimensions.size() != kAxes || factor != 1 || !has_all_channels() ||
      has_all_pixels()) {
    return false;
  }
  const Size size = cropped();
  const std::array<int, kAxes> sizes{extents[kBatch], size.height, size.width,
                                     extents[kChannels]};
  for (int axis = 0; axis < kAxes; ++axis) {
    if (begins[axis] < 0 || sizes[axis] > extents[axis] - begins[axis] ||
        dimensions[axis] != merged({{Axis(axis), sizes[axis], 1}})) {
      return false;
    }
  }
  return size.height > 0 && size.width > 0;
}

Size View::cropped() const {
  return {int(product(dimensions[kDown])),
          int(product(dimensions[kAcrossPixels]))};
}

std::string View::name() const {
  std::string name = std::to_string(extents[kDown]) + "x" +
                     std::to_string(extents[kAcrossPixels]);
  if (has_image_order()) return name;
  name += " from " + std::to_string(begins[kDown]) + "," +
          std::to_string(begins[kAcrossPixels]);
  for (size_t i = 0; i + 1 < dimensions.size(); ++i) {
    name += " [";
    for (const Digit& digit : dimensions[i]) name += text_of(digit) + " ";
    name += "]";
  }
  return name;
}

View View::with_channels(int channels) const {
  View made = *this;
  made.extents[kChannels] = channels;
  made.begins[kChannels] = 0;
  made.dimensions.back() = merged({{kChannels, channels, 1}});
  return made;
}

View view_of_image(int batch, Size size, int channels) {
  View view;
  view.extents = {batch, size.height, size.width, channels};
  for (int axis = 0; axis < kAxes; ++axis) {
    view.dimensions.push_back(merged({{Axis(axis), view.extents[axis], 1}}));
  }
  return view;
}

bool reshape(const std::vector<int>& shape, View* view) {
  Digits all;
  for (const Digits& digits : view->dimensions) {
    all.insert(all.end(), digits.begin(), digits.end());
  }
  std::vector<Digits> made;
  size_t next = 0;
  for (int size : shape) {
    Digits digits;
    if (size < 1 || !take(size, &all, &next, &digits)) return false;
    made.push_back(merged(digits));
  }
  if (next != all.size()) return false;
  view->dimensions = std::move(made);
  return true;
}

bool transpose(const std::vector<int>& order, View* view) {
  const int rank = int(view->dimensions.size());
  std::vector<Digits> made;
  std::vector<bool> known(size_t(rank), false);
  for (int from : order) {
    if (from < 0 || from >= rank || known[size_t(from)]) return false;
    known[size_t(from)] = true;
    made.push_back(view->dimensions[size_t(from)]);
  }
  if (int(made.size()) != rank) return false;
  view->dimensions = std::move(made);
  return true;
}

bool slice(int dimension, int begin, int size, View* view) {
  if (dimension < 0 || dimension >= int(view->dimensions.size())) return false;
  Digits& digits = view->dimensions[size_t(dimension)];
  int64_t all = product(digits);
  if (begin < 0 || size < 1 || begin + int64_t(size) > all) return false;
  // A digit with one remaining place vanishes. The first digit with more
  // remaining places is the last to change.
  size_t i = 0;
  for (; size < all; ++i) {
    Digit& digit = digits[i];
    all /= digit.size;
    const int first = int(begin / all);
    const bool is_one = begin % all + size <= all;
    if (digit.axis == kBatch || (!is_one && (begin % all || size % all))) {
      return false;
    }
    int& place = view->begins[digit.axis];
    place = int((place + int64_t(first) * digit.step) %
                view->extents[digit.axis]);
    begin -= int(first * all);
    if (!is_one) {
      digit.size = int(size / all);
      break;
    }
    digit.size = 1;
  }
  digits = merged(digits);
  return true;
}

bool concatenate(const View& next, int dimension, View* view) {
  if (next.source != view->source || next.extents != view->extents ||
      next.factor != view->factor ||
      next.dimensions.size() != view->dimensions.size() || dimension < 0 ||
      dimension >= int(view->dimensions.size())) {
    return false;
  }
  View expected = *view;
  Digits& digits = view->dimensions[size_t(dimension)];
  const Digits& others = next.dimensions[size_t(dimension)];
  // A single row has no digit. Then the digit of the other view gives the axis.
  Digit digit;
  if (!digits.empty()) {
    digit = digits[0];
  } else if (!others.empty()) {
    digit = others[0];
  } else {
    return false;
  }
  if (digits.size() > 1 || others.size() > 1) return false;
  const int size = digits.empty() ? 1 : digit.size;
  const int other = others.empty() ? 1 : others[0].size;
  if (!others.empty() &&
      (others[0].axis != digit.axis || others[0].step != digit.step)) {
    return false;
  }
  const int extent = view->extents[digit.axis];
  if (digit.axis == kBatch ||
      (int64_t(size) + other) * digit.step > extent) {
    return false;
  }
  expected.begins[digit.axis] = int(
      (view->begins[digit.axis] + int64_t(size) * digit.step) % extent);
  expected.dimensions[size_t(dimension)] = others;
  if (expected.begins != next.begins ||
      expected.dimensions != next.dimensions) {
    return false;
  }
  digits = {{digit.axis, size + other, digit.step}};
  return true;
}

Size Arrangement::size() const {
  if (is_image()) return image;
  return {int(product(rows)), int(product(columns))};
}

std::vector<int> Arrangement::pixels() const {
  Digits digits = rows;
  digits.insert(digits.end(), columns.begin(), columns.end());
  if (is_image()) {
    digits = {{kDown, image.height, 1}, {kAcrossPixels, image.width, 1}};
  }
  std::vector<int> made;
  std::vector<int> place(digits.size(), 0);
  const int64_t count = product(digits);
  for (int64_t i = 0; i < count; ++i) {
    int64_t y = down, x = across;
    for (size_t k = 0; k < digits.size(); ++k) {
      (digits[k].axis == kDown ? y : x) += int64_t(place[k]) * digits[k].step;
    }
    made.push_back(
        int(y % image.height * image.width + x % image.width));
    for (size_t k = digits.size(); k-- > 0;) {
      if (++place[k] < digits[k].size) break;
      place[k] = 0;
    }
  }
  return made;
}

Arrangement arrangement_of(const View& view, const Digits& rows,
                           const Digits& columns) {
  Arrangement made;
  made.image = view.size();
  const bool is_image =
      view.begins[kDown] == 0 && view.begins[kAcrossPixels] == 0 &&
      rows == merged({{kDown, view.extents[kDown], 1}}) &&
      columns == merged({{kAcrossPixels, view.extents[kAcrossPixels], 1}});
  if (is_image) return made;
  made.down = view.begins[kDown];
  made.across = view.begins[kAcrossPixels];
  made.rows = rows;
  made.columns = columns;
  return made;
}

}  // namespace issp
