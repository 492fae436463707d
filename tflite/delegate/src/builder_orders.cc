// Values whose pixels are in another order, or that are parts of others.

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "builder.h"
#include "fold.h"
#include "liveness.h"

namespace issp {
namespace {

// Whether it adds or multiplies other images.
bool takes_others(const Operation& of) {
  return std::any_of(of.posts.begin(), of.posts.end(),
                     [](const Post& post) { return post.value >= 0; });
}

}  // namespace

// Brings the pixels of a value into an order. `user` is the operation that will
// use the result, or -1 if it is not added yet.
int Builder::rearranged(int value, const Arrangement& order, int user) {
  if (orders_[value] == order) return value;
  const int known = known_move(value, order);
  if (known >= 0) return known;
  if (rearrange_what_makes(value, order, user)) return value;
  const int again = computed_again(value, order);
  return again >= 0 ? again : moved(value, order);
}

// The value with the pixels of `value` in an order, or -1.
int Builder::known_move(int value, const Arrangement& order) const {
  for (const Rearranged& known : rearranged_) {
    if (known.value == value && known.order == order) return known.made;
  }
  return -1;
}

// Moves the pixels of a value into an order.
int Builder::moved(int value, const Arrangement& order) {
  const int known = known_move(value, order);
  if (known >= 0) return known;
  Operation of;
  of.kind = Operation::kArrange;
  of.name = "pixels";
  of.input = value;
  Arrangement from = orders_[value], to = order;
  // The order of the image may not have a size.
  if (to.is_image()) to.image = from.image;
  if (from.is_image()) from.image = to.image;
  of.arranged_from = from.size();
  of.arranged_to = to.size();
  std::vector<int> sources = to.pixels();
  const std::vector<int> pixels = from.pixels();
  std::vector<int> places(pixels.size(), 0);
  for (size_t i = 0; i < pixels.size(); ++i) places[size_t(pixels[i])] = int(i);
  for (int& source : sources) source = places[size_t(source)];
  of.sources = std::make_shared<const std::vector<int>>(std::move(sources));
  return insert_behind(value, order, std::move(of));
}

// Adds an operation that makes a value in another order. It directly follows
// the producer of the value, so that all later operations can use it.
int Builder::insert_behind(int value, const Arrangement& order, Operation of) {
  const int made = int(part_.network.values.size());
  of.output = made;
  const int place = producers_[value] + 1;
  for (int& producer : producers_) producer += producer >= place;
  part_.network.values.push_back(part_.network.values[value]);
  producers_.push_back(place);
  orders_.push_back(order);
  operations().insert(operations().begin() + place, std::move(of));
  rearranged_.push_back({value, order, made});
  return made;
}

// Computes a function of all channels a second time, in another order. This is
// for normalizations whose result is used in the order of the image and in that
// of windows. Returns the value, or -1 for other operations.
int Builder::computed_again(int value, const Arrangement& order) {
  Operation of = operations()[producers_[value]];
  if (of.kind != Operation::kAcross || !of.is_pixelwise()) return -1;
  if (takes_others(of)) return -1;
  of.input = rearranged(of.input, order, -1);
  again_.push_back(value);
  return insert_behind(value, order, std::move(of));
}

// Removes operations whose results are only used in another order.
void Builder::drop_first_orders() {
  for (int value : again_) remove_if_unused(value, &part_.network);
}

// Lets the producer of a value read its input in this order, unless the input
// has more channels than the value. Returns whether this is done.
bool Builder::rearrange_what_makes(int value, const Arrangement& order,
                                   int user) {
  const Operation& of = operations()[producers_[value]];
  const std::vector<Value>& values = part_.network.values;
  if (!of.is_pixelwise() || values[value].repeats ||
      values[of.input].channels > values[value].channels) {
    return false;
  }
  if (takes_others(of)) return false;
  for (int i = 0; i < int(operations().size()); ++i) {
    if (i != user && uses(operations()[i], value)) return false;
  }
  const int made = rearranged(of.input, order, producers_[value]);
  operations()[producers_[value]].input = made;
  orders_[value] = order;
  return true;
}

// An operation that picks pixels of an image.
Operation Builder::pixels_of(int value, const std::vector<int>& rows,
                             const std::vector<int>& columns,
                             Size size) const {
  Operation of;
  of.kind = Operation::kArrange;
  of.input = value;
  of.arranged_from = size;
  of.arranged_to = {int(rows.size()), int(columns.size())};
  std::vector<int> sources;
  sources.reserve(rows.size() * columns.size());
  for (int row : rows) {
    for (int column : columns) sources.push_back(row * size.width + column);
  }
  of.sources = std::make_shared<const std::vector<int>>(std::move(sources));
  return of;
}

void Builder::append_pixels(int from, const std::vector<int>& rows,
                            const std::vector<int>& columns,
                            const GraphNode& node) {
  const std::vector<int> shape = tensors().shape(from);
  Operation of =
      pixels_of(value_of(from), rows, columns, {shape[1], shape[2]});
  of.name = name_of(node);
  append(std::move(of), node);
}

// Copies the pixels of a crop of an image.
int Builder::cropped(int tensor) {
  const View view = *tensors().view(tensor);
  const Size size = view.cropped();
  std::vector<int> rows(size_t(size.height)), columns(size_t(size.width));
  std::iota(rows.begin(), rows.end(), view.begins[kDown]);
  std::iota(columns.begin(), columns.end(), view.begins[kAcrossPixels]);
  Operation of = pixels_of(rearranged(raw(tensor), {}, -1), rows, columns,
                           view.size());
  of.name = "crop";
  of.output = new_value(view.channels(), tensor);
  selected_[tensor] = of.output;
  operations().push_back(std::move(of));
  return selected_[tensor];
}

// Copies the channels or pixels of a tensor if it does not have all of them.
int Builder::held(int tensor) {
  if (tensors().is_crop(tensor)) {
    const auto known = selected_.find(tensor);
    return known != selected_.end() ? known->second : cropped(tensor);
  }
  const int value = raw(tensor);
  if (!tensors().has_some_channels(tensor)) return value;
  const auto known = selected_.find(tensor);
  if (known != selected_.end()) return known->second;
  const View view = *tensors().view(tensor);
  const int channels = tensors().channels(tensor);
  Operation of = copy_of(value, nullptr);
  of.name = "channels";
  of.bias.resize(size_t(channels));
  of.weights.resize(size_t(channels));
  for (Nonzero& weight : of.weights) {
    weight.channel += view.begins[kChannels];
  }
  of.output = new_value(channels, tensor);
  orders_[of.output] = orders_[of.input];
  selected_[tensor] = of.output;
  operations().push_back(std::move(of));
  return selected_[tensor];
}

}  // namespace issp
