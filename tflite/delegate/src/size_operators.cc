#include "size_operators.h"

#include <algorithm>
#include <utility>

#include "size_rules.h"

namespace issp {
namespace {

constexpr double kMostElements = 1e15;

// Whether sums and products of sizes cannot overflow. A file may have any.
bool is_sane(const Shape& shape) {
  double count = 1;
  for (int size : shape) {
    if (size < 0 || size > kLargestSize) return false;
    count *= std::max(size, 1);
  }
  return count < kMostElements;
}

std::vector<Known> split(const KnownNode& node) {
  const auto axis = node.whole(0, 1);
  const Shape* from = node.shape(1);
  if (!axis || !from || node.outputs() < 1) return {};
  const int at = dimension((*axis)[0], from->size());
  if (at < 0 || (*from)[at] % node.outputs()) return {};
  Shape made = *from;
  made[at] /= node.outputs();
  return std::vector<Known>(node.outputs(), Known{made, std::nullopt});
}

}  // namespace

int dimension(int axis, size_t rank) {
  const int places = int(rank);
  if (axis < -places || axis >= places) return -1;
  return axis < 0 ? axis + places : axis;
}

Made of_array(std::optional<Array> array) {
  if (!array) return std::nullopt;
  Shape shape = array->shape;
  return Known{std::move(shape), std::move(array)};
}

Made of_shape(std::optional<Shape> shape) {
  if (!shape) return std::nullopt;
  return Known{*std::move(shape), std::nullopt};
}

Made same(const KnownNode& node) {
  const Shape* shape = node.shape(0);
  return shape ? Made(Known{*shape, std::nullopt}) : std::nullopt;
}

const Shape* KnownNode::shape(int i) const {
  if (i >= node_.inputs->size) return nullptr;
  const auto known = known_.find(node_.inputs->data[i]);
  if (known == known_.end() || !is_sane(known->second.shape)) return nullptr;
  return &known->second.shape;
}

const Array* KnownNode::numbers(int i) const {
  if (i >= node_.inputs->size) return nullptr;
  const auto known = known_.find(node_.inputs->data[i]);
  if (known == known_.end() || !known->second.numbers) return nullptr;
  return &*known->second.numbers;
}

std::optional<std::vector<int>> KnownNode::whole(int i, int count) const {
  const Array* of = numbers(i);
  if (!of || (count >= 0 && int(of->values.size()) != count)) {
    return std::nullopt;
  }
  std::vector<int> all;
  for (double number : of->values) {
    if (!is_int32(number)) return std::nullopt;
    all.push_back(int(number));
  }
  return all;
}

int KnownNode::type(int i) const {
  const int tensor = i < node_.inputs->size ? node_.inputs->data[i] : -1;
  return tensor < 0 ? 0 : graph_.tensor(tensor).type;
}

int KnownNode::made_type() const {
  return graph_.tensor(node_.outputs->data[0]).type;
}

std::vector<Known> make(const KnownNode& node) {
  if (node.code() == tflite::kSplit) return split(node);
  if (node.outputs() != 1) return {};
  for (const auto rule_of : {rule_of_layer, rule_of_move, rule_of_numbers}) {
    const Rule rule = rule_of(node.code());
    if (!rule) continue;
    Made made = rule(node);
    if (!made || !is_sane(made->shape)) return {};
    return {*std::move(made)};
  }
  return {};
}

}  // namespace issp
